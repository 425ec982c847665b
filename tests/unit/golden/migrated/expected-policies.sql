-- memories.default.constant: Assign rows without a tenant to tenant 1 again
ALTER TABLE "public"."memories" ALTER COLUMN "customer_id" SET DEFAULT 1;

-- call_summaries.default.constant: Assign rows without a tenant to tenant 1 again
ALTER TABLE "public"."call_summaries" ALTER COLUMN "customer_id" SET DEFAULT 1;

-- caller_profiles.default.constant: Assign rows without a tenant to tenant 1 again
ALTER TABLE "public"."caller_profiles" ALTER COLUMN "customer_id" SET DEFAULT 1;

-- personality_metrics.default.constant: Assign rows without a tenant to tenant 1 again
ALTER TABLE "public"."personality_metrics" ALTER COLUMN "customer_id" SET DEFAULT 1;

-- personality_averages.default.constant: Assign rows without a tenant to tenant 1 again
ALTER TABLE "public"."personality_averages" ALTER COLUMN "customer_id" SET DEFAULT 1;

-- memories.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "public"."memories" NO FORCE ROW LEVEL SECURITY;

-- call_summaries.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "public"."call_summaries" NO FORCE ROW LEVEL SECURITY;

-- caller_profiles.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "public"."caller_profiles" NO FORCE ROW LEVEL SECURITY;

-- personality_metrics.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "public"."personality_metrics" NO FORCE ROW LEVEL SECURITY;

-- personality_averages.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "public"."personality_averages" NO FORCE ROW LEVEL SECURITY;

-- memories.disable: Disable row-level security
ALTER TABLE "public"."memories" DISABLE ROW LEVEL SECURITY;

-- call_summaries.disable: Disable row-level security
ALTER TABLE "public"."call_summaries" DISABLE ROW LEVEL SECURITY;

-- caller_profiles.disable: Disable row-level security
ALTER TABLE "public"."caller_profiles" DISABLE ROW LEVEL SECURITY;

-- personality_metrics.disable: Disable row-level security
ALTER TABLE "public"."personality_metrics" DISABLE ROW LEVEL SECURITY;

-- personality_averages.disable: Disable row-level security
ALTER TABLE "public"."personality_averages" DISABLE ROW LEVEL SECURITY;

-- memories.policy.drop.tenant_isolation_memories: Remove the tenant policy
DROP POLICY "tenant_isolation_memories" ON "public"."memories";

-- call_summaries.policy.drop.tenant_isolation_call_summaries: Remove the tenant policy
DROP POLICY "tenant_isolation_call_summaries" ON "public"."call_summaries";

-- caller_profiles.policy.drop.tenant_isolation_caller_profiles: Remove the tenant policy
DROP POLICY "tenant_isolation_caller_profiles" ON "public"."caller_profiles";

-- personality_metrics.policy.drop.tenant_isolation_personality_metrics: Remove the tenant policy
DROP POLICY "tenant_isolation_personality_metrics" ON "public"."personality_metrics";

-- personality_averages.policy.drop.tenant_isolation_personality_averages: Remove the tenant policy
DROP POLICY "tenant_isolation_personality_averages" ON "public"."personality_averages";

-- bridge.remove.alice: Remove the bridge: a session that sets no tenant has no tenant
ALTER ROLE "alice" IN DATABASE "ai_memory_states" RESET "app"."current_tenant";

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
