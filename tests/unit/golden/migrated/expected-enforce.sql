-- bridge.empty.alice: Remove the bridge: a login that names no tenant has none
ALTER ROLE "alice" IN DATABASE "ai_memory_states" SET "app"."current_tenant" = '';

-- memories.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_memories" ON "public"."memories";

-- call_summaries.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_call_summaries" ON "public"."call_summaries";

-- caller_profiles.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_caller_profiles" ON "public"."caller_profiles";

-- personality_metrics.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_personality_metrics" ON "public"."personality_metrics";

-- personality_averages.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_personality_averages" ON "public"."personality_averages";

-- bridge.note.drop: Stop recording who needs the bridge
DROP FUNCTION "public"."tenancy_bridge_note"();

-- bridge.used.drop: Stop recording who needs the bridge
DROP SEQUENCE "public"."tenancy_bridge_used";
