-- memories.default.constant: Assign rows without a tenant to tenant 1 again
ALTER TABLE "public"."memories" ALTER COLUMN "customer_id" SET DEFAULT 1;

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
