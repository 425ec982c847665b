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

-- memories.bridge.drop.tenancy_bridge_memories: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_memories" ON "public"."memories";

-- call_summaries.bridge.drop.tenancy_bridge_call_summaries: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_call_summaries" ON "public"."call_summaries";

-- caller_profiles.bridge.drop.tenancy_bridge_caller_profiles: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_caller_profiles" ON "public"."caller_profiles";

-- personality_metrics.bridge.drop.tenancy_bridge_personality_metrics: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_personality_metrics" ON "public"."personality_metrics";

-- personality_averages.bridge.drop.tenancy_bridge_personality_averages: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_personality_averages" ON "public"."personality_averages";

-- bridge.note.drop.earlier: Stop recording the use of the bridge
DROP FUNCTION "public"."tenancy_bridge_note"();

-- bridge.used.drop.tenancy_bridge_used: Stop recording the use of the bridge
DROP SEQUENCE "public"."tenancy_bridge_used";
