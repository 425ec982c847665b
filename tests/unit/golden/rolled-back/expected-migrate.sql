-- memories.bridge.used.select: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_memories_select";

-- memories.bridge.used.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_memories_insert";

-- memories.bridge.used.update: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_memories_update";

-- memories.bridge.used.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_memories_delete";

-- memories.bridge.used.grant: Record when a session still needs the bridge, and for which kind of statement
GRANT UPDATE ON SEQUENCE "public"."tenancy_bridge_used_memories_select", "public"."tenancy_bridge_used_memories_insert", "public"."tenancy_bridge_used_memories_update", "public"."tenancy_bridge_used_memories_delete" TO "alice";

-- call_summaries.bridge.used.select: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_call_summaries_select";

-- call_summaries.bridge.used.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_call_summaries_insert";

-- call_summaries.bridge.used.update: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_call_summaries_update";

-- call_summaries.bridge.used.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_call_summaries_delete";

-- call_summaries.bridge.used.grant: Record when a session still needs the bridge, and for which kind of statement
GRANT UPDATE ON SEQUENCE "public"."tenancy_bridge_used_call_summaries_select", "public"."tenancy_bridge_used_call_summaries_insert", "public"."tenancy_bridge_used_call_summaries_update", "public"."tenancy_bridge_used_call_summaries_delete" TO "alice";

-- caller_profiles.bridge.used.select: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_caller_profiles_select";

-- caller_profiles.bridge.used.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_caller_profiles_insert";

-- caller_profiles.bridge.used.update: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_caller_profiles_update";

-- caller_profiles.bridge.used.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_caller_profiles_delete";

-- caller_profiles.bridge.used.grant: Record when a session still needs the bridge, and for which kind of statement
GRANT UPDATE ON SEQUENCE "public"."tenancy_bridge_used_caller_profiles_select", "public"."tenancy_bridge_used_caller_profiles_insert", "public"."tenancy_bridge_used_caller_profiles_update", "public"."tenancy_bridge_used_caller_profiles_delete" TO "alice";

-- personality_metrics.bridge.used.select: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_personality_metrics_select";

-- personality_metrics.bridge.used.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_personality_metrics_insert";

-- personality_metrics.bridge.used.update: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_personality_metrics_update";

-- personality_metrics.bridge.used.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_personality_metrics_delete";

-- personality_metrics.bridge.used.grant: Record when a session still needs the bridge, and for which kind of statement
GRANT UPDATE ON SEQUENCE "public"."tenancy_bridge_used_personality_metrics_select", "public"."tenancy_bridge_used_personality_metrics_insert", "public"."tenancy_bridge_used_personality_metrics_update", "public"."tenancy_bridge_used_personality_metrics_delete" TO "alice";

-- personality_averages.bridge.used.select: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_personality_averages_select";

-- personality_averages.bridge.used.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_personality_averages_insert";

-- personality_averages.bridge.used.update: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_personality_averages_update";

-- personality_averages.bridge.used.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "public"."tenancy_bridge_used_personality_averages_delete";

-- personality_averages.bridge.used.grant: Record when a session still needs the bridge, and for which kind of statement
GRANT UPDATE ON SEQUENCE "public"."tenancy_bridge_used_personality_averages_select", "public"."tenancy_bridge_used_personality_averages_insert", "public"."tenancy_bridge_used_personality_averages_update", "public"."tenancy_bridge_used_personality_averages_delete" TO "alice";

-- bridge.note: Record when a session still needs the bridge, and for which kind of statement
CREATE OR REPLACE FUNCTION "public"."tenancy_bridge_note"(used text) RETURNS boolean LANGUAGE plpgsql AS $tenancy$
DECLARE
  now_is bigint;
  noted text;
BEGIN
  IF current_setting('app.current_tenant', true) = '01'
    AND NOT current_setting('transaction_read_only')::boolean
  THEN
    BEGIN
      now_is := extract(epoch FROM clock_timestamp());
      noted := 'tenancy_runbook.noted_' || to_hex(hashtext(used));
      IF now_is - coalesce(nullif(current_setting(noted, true), ''), '0')::bigint >= 10 THEN
        PERFORM setval('"public".' || quote_ident(used), now_is),
                set_config(noted, now_is::text, false);
      END IF;
    EXCEPTION WHEN OTHERS THEN
      -- A record that is broken must not break the service; enforcing tries it before it is believed.
      NULL;
    END;
  END IF;
  RETURN true;
END
$tenancy$;

-- bridge.note.grant: Record when a session still needs the bridge, and for which kind of statement
GRANT EXECUTE ON FUNCTION "public"."tenancy_bridge_note"(text) TO "alice";

-- memories.bridge.select: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_memories_select" ON "public"."memories" AS RESTRICTIVE FOR SELECT TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_memories_select')));

-- memories.bridge.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_memories_insert" ON "public"."memories" AS RESTRICTIVE FOR INSERT TO "alice" WITH CHECK ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_memories_insert')));

-- memories.bridge.update: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_memories_update" ON "public"."memories" AS RESTRICTIVE FOR UPDATE TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_memories_update')));

-- memories.bridge.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_memories_delete" ON "public"."memories" AS RESTRICTIVE FOR DELETE TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_memories_delete')));

-- call_summaries.bridge.select: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_call_summaries_select" ON "public"."call_summaries" AS RESTRICTIVE FOR SELECT TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_call_summaries_select')));

-- call_summaries.bridge.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_call_summaries_insert" ON "public"."call_summaries" AS RESTRICTIVE FOR INSERT TO "alice" WITH CHECK ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_call_summaries_insert')));

-- call_summaries.bridge.update: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_call_summaries_update" ON "public"."call_summaries" AS RESTRICTIVE FOR UPDATE TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_call_summaries_update')));

-- call_summaries.bridge.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_call_summaries_delete" ON "public"."call_summaries" AS RESTRICTIVE FOR DELETE TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_call_summaries_delete')));

-- caller_profiles.bridge.select: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_caller_profiles_select" ON "public"."caller_profiles" AS RESTRICTIVE FOR SELECT TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_caller_profiles_select')));

-- caller_profiles.bridge.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_caller_profiles_insert" ON "public"."caller_profiles" AS RESTRICTIVE FOR INSERT TO "alice" WITH CHECK ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_caller_profiles_insert')));

-- caller_profiles.bridge.update: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_caller_profiles_update" ON "public"."caller_profiles" AS RESTRICTIVE FOR UPDATE TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_caller_profiles_update')));

-- caller_profiles.bridge.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_caller_profiles_delete" ON "public"."caller_profiles" AS RESTRICTIVE FOR DELETE TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_caller_profiles_delete')));

-- personality_metrics.bridge.select: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_personality_metrics_select" ON "public"."personality_metrics" AS RESTRICTIVE FOR SELECT TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_personality_metrics_select')));

-- personality_metrics.bridge.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_personality_metrics_insert" ON "public"."personality_metrics" AS RESTRICTIVE FOR INSERT TO "alice" WITH CHECK ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_personality_metrics_insert')));

-- personality_metrics.bridge.update: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_personality_metrics_update" ON "public"."personality_metrics" AS RESTRICTIVE FOR UPDATE TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_personality_metrics_update')));

-- personality_metrics.bridge.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_personality_metrics_delete" ON "public"."personality_metrics" AS RESTRICTIVE FOR DELETE TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_personality_metrics_delete')));

-- personality_averages.bridge.select: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_personality_averages_select" ON "public"."personality_averages" AS RESTRICTIVE FOR SELECT TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_personality_averages_select')));

-- personality_averages.bridge.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_personality_averages_insert" ON "public"."personality_averages" AS RESTRICTIVE FOR INSERT TO "alice" WITH CHECK ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_personality_averages_insert')));

-- personality_averages.bridge.update: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_personality_averages_update" ON "public"."personality_averages" AS RESTRICTIVE FOR UPDATE TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_personality_averages_update')));

-- personality_averages.bridge.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_personality_averages_delete" ON "public"."personality_averages" AS RESTRICTIVE FOR DELETE TO "alice" USING ("customer_id" IS NOT NULL AND (SELECT "public"."tenancy_bridge_note"('tenancy_bridge_used_personality_averages_delete')));

-- bridge: Let sessions that set no tenant work as tenant 1
ALTER ROLE "alice" IN DATABASE "ai_memory_states" SET "app"."current_tenant" = '01';

-- memories.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "public"."memories" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- call_summaries.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "public"."call_summaries" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- caller_profiles.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "public"."caller_profiles" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- personality_metrics.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "public"."personality_metrics" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- personality_averages.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "public"."personality_averages" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- memories.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_memories" ON "public"."memories" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- call_summaries.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_call_summaries" ON "public"."call_summaries" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- caller_profiles.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_caller_profiles" ON "public"."caller_profiles" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- personality_metrics.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_personality_metrics" ON "public"."personality_metrics" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- personality_averages.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_personality_averages" ON "public"."personality_averages" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- memories.enable: Enable row-level security
ALTER TABLE "public"."memories" ENABLE ROW LEVEL SECURITY;

-- call_summaries.enable: Enable row-level security
ALTER TABLE "public"."call_summaries" ENABLE ROW LEVEL SECURITY;

-- caller_profiles.enable: Enable row-level security
ALTER TABLE "public"."caller_profiles" ENABLE ROW LEVEL SECURITY;

-- personality_metrics.enable: Enable row-level security
ALTER TABLE "public"."personality_metrics" ENABLE ROW LEVEL SECURITY;

-- personality_averages.enable: Enable row-level security
ALTER TABLE "public"."personality_averages" ENABLE ROW LEVEL SECURITY;

-- memories.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "public"."memories" FORCE ROW LEVEL SECURITY;

-- call_summaries.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "public"."call_summaries" FORCE ROW LEVEL SECURITY;

-- caller_profiles.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "public"."caller_profiles" FORCE ROW LEVEL SECURITY;

-- personality_metrics.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "public"."personality_metrics" FORCE ROW LEVEL SECURITY;

-- personality_averages.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "public"."personality_averages" FORCE ROW LEVEL SECURITY;
