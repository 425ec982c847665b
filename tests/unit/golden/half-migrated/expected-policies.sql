-- memories.default.constant: Give a row that names no tenant to tenant 1 again
ALTER TABLE "public"."memories" ALTER COLUMN "customer_id" SET DEFAULT 1;

-- call_summaries.disable: Switch row-level security off
ALTER TABLE "public"."call_summaries" DISABLE ROW LEVEL SECURITY;

-- call_summaries.policy.drop.tenant_isolation_call_summaries: Remove the tenant policy
DROP POLICY "tenant_isolation_call_summaries" ON "public"."call_summaries";
