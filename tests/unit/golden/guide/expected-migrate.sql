-- call_summaries.index.call_date: Support the service's queries within one tenant
CREATE INDEX "idx_call_summaries_customer_id_call_date" ON "public"."call_summaries" ("customer_id", "call_date" DESC);

-- call_summaries.key.call_summaries_call_id_key.build: Build the key call_summaries_call_id_key with customer_id
CREATE UNIQUE INDEX "call_summaries_call_id_key_tenant_key" ON "public"."call_summaries" ("customer_id", "call_id");

-- call_summaries.key.call_summaries_call_id_key: Make (call_id) unique per tenant instead of globally
ALTER TABLE "public"."call_summaries" DROP CONSTRAINT "call_summaries_call_id_key", ADD CONSTRAINT "call_summaries_call_id_key" UNIQUE USING INDEX "call_summaries_call_id_key_tenant_key";

-- function.update_personality_averages(integer, character varying): Make update_personality_averages work within one tenant
CREATE FUNCTION "public"."update_personality_averages"(p_customer_id integer, p_user_id character varying) RETURNS void LANGUAGE plpgsql AS $tenancy$
-- The tenant is an argument, so that averages do not depend on the session's role or tenant.
BEGIN
  INSERT INTO "public".personality_averages (
    customer_id, user_id, call_count, last_updated,
    avg_openness, avg_conscientiousness, avg_extraversion, avg_agreeableness, avg_neuroticism,
    avg_formality, avg_directness, avg_detail_orientation, avg_patience, avg_technical_comfort,
    recent_frustration, recent_satisfaction, recent_urgency)
  -- Without GROUP BY there is one row, also of a caller who has no metrics.
  SELECT p_customer_id, p_user_id, count(*), now(),
    avg(openness), avg(conscientiousness), avg(extraversion), avg(agreeableness), avg(neuroticism),
    avg(formality), avg(directness), avg(detail_orientation), avg(patience), avg(technical_comfort),
    (SELECT avg(last_calls.frustration_level) FROM (
       SELECT frustration_level FROM "public".personality_metrics
       WHERE customer_id = p_customer_id AND user_id = p_user_id ORDER BY measured_at DESC LIMIT 3) AS last_calls),
    (SELECT avg(last_calls.satisfaction_level) FROM (
       SELECT satisfaction_level FROM "public".personality_metrics
       WHERE customer_id = p_customer_id AND user_id = p_user_id ORDER BY measured_at DESC LIMIT 3) AS last_calls),
    (SELECT avg(last_calls.urgency_level) FROM (
       SELECT urgency_level FROM "public".personality_metrics
       WHERE customer_id = p_customer_id AND user_id = p_user_id ORDER BY measured_at DESC LIMIT 3) AS last_calls)
  FROM "public".personality_metrics
  WHERE customer_id = p_customer_id AND user_id = p_user_id
  ON CONFLICT (customer_id, user_id) DO UPDATE SET
    call_count = excluded.call_count, last_updated = excluded.last_updated, avg_openness = excluded.avg_openness,
    avg_conscientiousness = excluded.avg_conscientiousness, avg_extraversion = excluded.avg_extraversion,
    avg_agreeableness = excluded.avg_agreeableness, avg_neuroticism = excluded.avg_neuroticism,
    avg_formality = excluded.avg_formality, avg_directness = excluded.avg_directness,
    avg_detail_orientation = excluded.avg_detail_orientation, avg_patience = excluded.avg_patience,
    avg_technical_comfort = excluded.avg_technical_comfort, recent_frustration = excluded.recent_frustration,
    recent_satisfaction = excluded.recent_satisfaction, recent_urgency = excluded.recent_urgency;
END
$tenancy$;

-- function.update_personality_averages(character varying): Make update_personality_averages work within one tenant
CREATE OR REPLACE FUNCTION public.update_personality_averages(p_user_id character varying)
 RETURNS void
 LANGUAGE plpgsql
AS $tenancy$
-- Updates the caller's averages for each tenant whose rows the session may see: under row security only its own tenant.
BEGIN
  PERFORM "public".update_personality_averages(seen.customer_id, p_user_id)
  FROM (SELECT customer_id FROM "public".personality_metrics WHERE user_id = p_user_id
        -- A caller without metrics also gets a row, for the tenant of the session.
        UNION SELECT nullif(pg_catalog.current_setting('app.current_tenant', true), '')::integer) AS seen
  WHERE seen.customer_id IS NOT NULL;
END
$tenancy$;

-- function.trigger_update_personality_averages(): Make trigger_update_personality_averages work within one tenant
CREATE OR REPLACE FUNCTION public.trigger_update_personality_averages()
 RETURNS trigger
 LANGUAGE plpgsql
AS $tenancy$
BEGIN
  -- The tenant comes from the row, not from the session that inserted it.
  PERFORM "public".update_personality_averages(NEW.customer_id, NEW.user_id);
  RETURN NEW;
END
$tenancy$;

-- memories.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "public"."memories" FROM "alice";

-- call_summaries.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "public"."call_summaries" FROM "alice";

-- caller_profiles.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "public"."caller_profiles" FROM "alice";

-- personality_metrics.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "public"."personality_metrics" FROM "alice";

-- personality_averages.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "public"."personality_averages" FROM "alice";

-- function.update_personality_averages(integer, character varying).grant: Grant the service its own privilege to execute the functions
GRANT EXECUTE ON FUNCTION "public"."update_personality_averages"(integer, character varying) TO "alice";

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

-- memories.policy.drop.tenant_isolation_memories: Drop a policy that would show more rows: permissive policies are combined with OR
DROP POLICY "tenant_isolation_memories" ON "public"."memories";

-- memories.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_memories" ON "public"."memories" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- call_summaries.policy.drop.tenant_isolation_call_summaries: Drop a policy that would show more rows: permissive policies are combined with OR
DROP POLICY "tenant_isolation_call_summaries" ON "public"."call_summaries";

-- call_summaries.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_call_summaries" ON "public"."call_summaries" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- caller_profiles.policy.drop.tenant_isolation_caller_profiles: Drop a policy that would show more rows: permissive policies are combined with OR
DROP POLICY "tenant_isolation_caller_profiles" ON "public"."caller_profiles";

-- caller_profiles.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_caller_profiles" ON "public"."caller_profiles" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- personality_metrics.policy.drop.tenant_isolation_personality_metrics: Drop a policy that would show more rows: permissive policies are combined with OR
DROP POLICY "tenant_isolation_personality_metrics" ON "public"."personality_metrics";

-- personality_metrics.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_personality_metrics" ON "public"."personality_metrics" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- personality_averages.policy.drop.tenant_isolation_personality_averages: Drop a policy that would show more rows: permissive policies are combined with OR
DROP POLICY "tenant_isolation_personality_averages" ON "public"."personality_averages";

-- personality_averages.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_personality_averages" ON "public"."personality_averages" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

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
