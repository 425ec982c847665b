-- bridge.empty.alice: Remove the bridge: a session that sets no tenant has no tenant
ALTER ROLE "alice" IN DATABASE "ai_memory_states" SET "app"."current_tenant" = '';

-- memories.bridge.drop.tenancy_bridge_memories_delete: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_memories_delete" ON "public"."memories";

-- memories.bridge.drop.tenancy_bridge_memories_insert: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_memories_insert" ON "public"."memories";

-- memories.bridge.drop.tenancy_bridge_memories_select: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_memories_select" ON "public"."memories";

-- memories.bridge.drop.tenancy_bridge_memories_update: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_memories_update" ON "public"."memories";

-- call_summaries.bridge.drop.tenancy_bridge_call_summaries_delete: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_call_summaries_delete" ON "public"."call_summaries";

-- call_summaries.bridge.drop.tenancy_bridge_call_summaries_insert: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_call_summaries_insert" ON "public"."call_summaries";

-- call_summaries.bridge.drop.tenancy_bridge_call_summaries_select: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_call_summaries_select" ON "public"."call_summaries";

-- call_summaries.bridge.drop.tenancy_bridge_call_summaries_update: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_call_summaries_update" ON "public"."call_summaries";

-- caller_profiles.bridge.drop.tenancy_bridge_caller_profiles_delete: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_caller_profiles_delete" ON "public"."caller_profiles";

-- caller_profiles.bridge.drop.tenancy_bridge_caller_profiles_insert: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_caller_profiles_insert" ON "public"."caller_profiles";

-- caller_profiles.bridge.drop.tenancy_bridge_caller_profiles_select: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_caller_profiles_select" ON "public"."caller_profiles";

-- caller_profiles.bridge.drop.tenancy_bridge_caller_profiles_update: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_caller_profiles_update" ON "public"."caller_profiles";

-- personality_metrics.bridge.drop.tenancy_bridge_personality_metrics_delete: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_personality_metrics_delete" ON "public"."personality_metrics";

-- personality_metrics.bridge.drop.tenancy_bridge_personality_metrics_insert: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_personality_metrics_insert" ON "public"."personality_metrics";

-- personality_metrics.bridge.drop.tenancy_bridge_personality_metrics_select: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_personality_metrics_select" ON "public"."personality_metrics";

-- personality_metrics.bridge.drop.tenancy_bridge_personality_metrics_update: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_personality_metrics_update" ON "public"."personality_metrics";

-- personality_averages.bridge.drop.tenancy_bridge_personality_averages_delete: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_personality_averages_delete" ON "public"."personality_averages";

-- personality_averages.bridge.drop.tenancy_bridge_personality_averages_insert: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_personality_averages_insert" ON "public"."personality_averages";

-- personality_averages.bridge.drop.tenancy_bridge_personality_averages_select: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_personality_averages_select" ON "public"."personality_averages";

-- personality_averages.bridge.drop.tenancy_bridge_personality_averages_update: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_personality_averages_update" ON "public"."personality_averages";

-- bridge.note.drop: Stop recording the use of the bridge
DROP FUNCTION "public"."tenancy_bridge_note"(text);

-- bridge.used.drop.tenancy_bridge_used_call_summaries_delete: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_call_summaries_delete";

-- bridge.used.drop.tenancy_bridge_used_call_summaries_insert: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_call_summaries_insert";

-- bridge.used.drop.tenancy_bridge_used_call_summaries_select: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_call_summaries_select";

-- bridge.used.drop.tenancy_bridge_used_call_summaries_update: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_call_summaries_update";

-- bridge.used.drop.tenancy_bridge_used_caller_profiles_delete: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_caller_profiles_delete";

-- bridge.used.drop.tenancy_bridge_used_caller_profiles_insert: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_caller_profiles_insert";

-- bridge.used.drop.tenancy_bridge_used_caller_profiles_select: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_caller_profiles_select";

-- bridge.used.drop.tenancy_bridge_used_caller_profiles_update: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_caller_profiles_update";

-- bridge.used.drop.tenancy_bridge_used_memories_delete: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_memories_delete";

-- bridge.used.drop.tenancy_bridge_used_memories_insert: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_memories_insert";

-- bridge.used.drop.tenancy_bridge_used_memories_select: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_memories_select";

-- bridge.used.drop.tenancy_bridge_used_memories_update: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_memories_update";

-- bridge.used.drop.tenancy_bridge_used_personality_averages_delete: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_personality_averages_delete";

-- bridge.used.drop.tenancy_bridge_used_personality_averages_insert: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_personality_averages_insert";

-- bridge.used.drop.tenancy_bridge_used_personality_averages_select: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_personality_averages_select";

-- bridge.used.drop.tenancy_bridge_used_personality_averages_update: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_personality_averages_update";

-- bridge.used.drop.tenancy_bridge_used_personality_metrics_delete: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_personality_metrics_delete";

-- bridge.used.drop.tenancy_bridge_used_personality_metrics_insert: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_personality_metrics_insert";

-- bridge.used.drop.tenancy_bridge_used_personality_metrics_select: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_personality_metrics_select";

-- bridge.used.drop.tenancy_bridge_used_personality_metrics_update: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used_personality_metrics_update";
