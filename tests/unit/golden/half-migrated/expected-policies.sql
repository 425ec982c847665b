-- memories.default.constant: Give a row that names no tenant to tenant 1 again
ALTER TABLE "public"."memories" ALTER COLUMN "customer_id" SET DEFAULT 1;

-- memories.disable: Switch row-level security off
ALTER TABLE "public"."memories" DISABLE ROW LEVEL SECURITY;

-- call_summaries.disable: Switch row-level security off
ALTER TABLE "public"."call_summaries" DISABLE ROW LEVEL SECURITY;

-- caller_profiles.disable: Switch row-level security off
ALTER TABLE "public"."caller_profiles" DISABLE ROW LEVEL SECURITY;

-- personality_metrics.disable: Switch row-level security off
ALTER TABLE "public"."personality_metrics" DISABLE ROW LEVEL SECURITY;

-- personality_averages.disable: Switch row-level security off
ALTER TABLE "public"."personality_averages" DISABLE ROW LEVEL SECURITY;
