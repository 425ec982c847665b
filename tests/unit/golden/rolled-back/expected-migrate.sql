-- bridge.used: Record when a session still needs the bridge
CREATE SEQUENCE "public"."tenancy_bridge_used";

-- bridge.used.grant: Record when a session still needs the bridge
GRANT UPDATE ON SEQUENCE "public"."tenancy_bridge_used" TO "alice";

-- bridge.note: Record when a session still needs the bridge
CREATE OR REPLACE FUNCTION "public"."tenancy_bridge_note"() RETURNS boolean LANGUAGE plpgsql AS $tenancy$
DECLARE
  now_is CONSTANT bigint := extract(epoch FROM clock_timestamp());
BEGIN
  IF current_setting('app.current_tenant', true) = '01'
    AND NOT current_setting('transaction_read_only')::boolean
    AND now_is - coalesce(nullif(current_setting('tenancy_runbook.noted', true), ''), '0')::bigint >= 10
  THEN
    BEGIN
      PERFORM setval('"public"."tenancy_bridge_used"', now_is),
              set_config('tenancy_runbook.noted', now_is::text, false);
    EXCEPTION WHEN OTHERS THEN
      -- A record that is broken must not break the service; enforcing tries it before it is believed.
      NULL;
    END;
  END IF;
  RETURN true;
END
$tenancy$;

-- bridge.note.grant: Record when a session still needs the bridge
GRANT EXECUTE ON FUNCTION "public"."tenancy_bridge_note"() TO "alice";

-- memories.bridge: Record when a session still needs the bridge
CREATE POLICY "tenancy_bridge_memories" ON "public"."memories" AS RESTRICTIVE FOR ALL TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"()));

-- call_summaries.bridge: Record when a session still needs the bridge
CREATE POLICY "tenancy_bridge_call_summaries" ON "public"."call_summaries" AS RESTRICTIVE FOR ALL TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"()));

-- caller_profiles.bridge: Record when a session still needs the bridge
CREATE POLICY "tenancy_bridge_caller_profiles" ON "public"."caller_profiles" AS RESTRICTIVE FOR ALL TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"()));

-- personality_metrics.bridge: Record when a session still needs the bridge
CREATE POLICY "tenancy_bridge_personality_metrics" ON "public"."personality_metrics" AS RESTRICTIVE FOR ALL TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"()));

-- personality_averages.bridge: Record when a session still needs the bridge
CREATE POLICY "tenancy_bridge_personality_averages" ON "public"."personality_averages" AS RESTRICTIVE FOR ALL TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"()));

-- bridge: Let code that names no tenant yet work as tenant 1
ALTER ROLE "alice" IN DATABASE "ai_memory_states" SET "app"."current_tenant" = '01';

-- memories.default: Give a row that names no tenant the session's; refuse it where there is none
ALTER TABLE "public"."memories" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- call_summaries.default: Give a row that names no tenant the session's; refuse it where there is none
ALTER TABLE "public"."call_summaries" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- caller_profiles.default: Give a row that names no tenant the session's; refuse it where there is none
ALTER TABLE "public"."caller_profiles" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- personality_metrics.default: Give a row that names no tenant the session's; refuse it where there is none
ALTER TABLE "public"."personality_metrics" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- personality_averages.default: Give a row that names no tenant the session's; refuse it where there is none
ALTER TABLE "public"."personality_averages" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- memories.policy: Show and accept only the session tenant's rows
CREATE POLICY "tenant_isolation_memories" ON "public"."memories" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- call_summaries.policy: Show and accept only the session tenant's rows
CREATE POLICY "tenant_isolation_call_summaries" ON "public"."call_summaries" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- caller_profiles.policy: Show and accept only the session tenant's rows
CREATE POLICY "tenant_isolation_caller_profiles" ON "public"."caller_profiles" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- personality_metrics.policy: Show and accept only the session tenant's rows
CREATE POLICY "tenant_isolation_personality_metrics" ON "public"."personality_metrics" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- personality_averages.policy: Show and accept only the session tenant's rows
CREATE POLICY "tenant_isolation_personality_averages" ON "public"."personality_averages" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- memories.enable: Switch row-level security on
ALTER TABLE "public"."memories" ENABLE ROW LEVEL SECURITY;

-- call_summaries.enable: Switch row-level security on
ALTER TABLE "public"."call_summaries" ENABLE ROW LEVEL SECURITY;

-- caller_profiles.enable: Switch row-level security on
ALTER TABLE "public"."caller_profiles" ENABLE ROW LEVEL SECURITY;

-- personality_metrics.enable: Switch row-level security on
ALTER TABLE "public"."personality_metrics" ENABLE ROW LEVEL SECURITY;

-- personality_averages.enable: Switch row-level security on
ALTER TABLE "public"."personality_averages" ENABLE ROW LEVEL SECURITY;

-- memories.force: Hold the owner of the table to it as well (FORCE)
ALTER TABLE "public"."memories" FORCE ROW LEVEL SECURITY;

-- call_summaries.force: Hold the owner of the table to it as well (FORCE)
ALTER TABLE "public"."call_summaries" FORCE ROW LEVEL SECURITY;

-- caller_profiles.force: Hold the owner of the table to it as well (FORCE)
ALTER TABLE "public"."caller_profiles" FORCE ROW LEVEL SECURITY;

-- personality_metrics.force: Hold the owner of the table to it as well (FORCE)
ALTER TABLE "public"."personality_metrics" FORCE ROW LEVEL SECURITY;

-- personality_averages.force: Hold the owner of the table to it as well (FORCE)
ALTER TABLE "public"."personality_averages" FORCE ROW LEVEL SECURITY;
