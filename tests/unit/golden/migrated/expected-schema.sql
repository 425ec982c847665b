-- memories.policy.drop.tenant_isolation_memories: Drop the policies of the migration
DROP POLICY "tenant_isolation_memories" ON "public"."memories";

-- call_summaries.policy.drop.tenant_isolation_call_summaries: Drop the policies of the migration
DROP POLICY "tenant_isolation_call_summaries" ON "public"."call_summaries";

-- caller_profiles.policy.drop.tenant_isolation_caller_profiles: Drop the policies of the migration
DROP POLICY "tenant_isolation_caller_profiles" ON "public"."caller_profiles";

-- personality_metrics.policy.drop.tenant_isolation_personality_metrics: Drop the policies of the migration
DROP POLICY "tenant_isolation_personality_metrics" ON "public"."personality_metrics";

-- personality_averages.policy.drop.tenant_isolation_personality_averages: Drop the policies of the migration
DROP POLICY "tenant_isolation_personality_averages" ON "public"."personality_averages";

-- memories.forced: Restore the original row-level security
ALTER TABLE "public"."memories" NO FORCE ROW LEVEL SECURITY;

-- call_summaries.forced: Restore the original row-level security
ALTER TABLE "public"."call_summaries" NO FORCE ROW LEVEL SECURITY;

-- caller_profiles.forced: Restore the original row-level security
ALTER TABLE "public"."caller_profiles" NO FORCE ROW LEVEL SECURITY;

-- personality_metrics.forced: Restore the original row-level security
ALTER TABLE "public"."personality_metrics" NO FORCE ROW LEVEL SECURITY;

-- personality_averages.forced: Restore the original row-level security
ALTER TABLE "public"."personality_averages" NO FORCE ROW LEVEL SECURITY;

-- memories.enabled: Restore the original row-level security
ALTER TABLE "public"."memories" DISABLE ROW LEVEL SECURITY;

-- call_summaries.enabled: Restore the original row-level security
ALTER TABLE "public"."call_summaries" DISABLE ROW LEVEL SECURITY;

-- caller_profiles.enabled: Restore the original row-level security
ALTER TABLE "public"."caller_profiles" DISABLE ROW LEVEL SECURITY;

-- personality_metrics.enabled: Restore the original row-level security
ALTER TABLE "public"."personality_metrics" DISABLE ROW LEVEL SECURITY;

-- personality_averages.enabled: Restore the original row-level security
ALTER TABLE "public"."personality_averages" DISABLE ROW LEVEL SECURITY;

-- bridge.alice: Restore the original bridge
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

-- function.update_personality_averages(integer, character varying).drop: Restore the original update_personality_averages
DROP FUNCTION "public"."update_personality_averages"(integer, character varying);

-- function.update_personality_averages(character varying): Restore the original update_personality_averages
CREATE OR REPLACE FUNCTION public.update_personality_averages(p_user_id character varying)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO personality_averages (
    user_id, call_count, last_updated,
    avg_openness, avg_conscientiousness, avg_extraversion, avg_agreeableness, avg_neuroticism,
    avg_formality, avg_directness, avg_detail_orientation, avg_patience, avg_technical_comfort,
    recent_frustration, recent_satisfaction, recent_urgency)
  -- Without GROUP BY there is one row, also of a caller who has no metrics.
  SELECT p_user_id, count(*), now(),
    avg(openness), avg(conscientiousness), avg(extraversion), avg(agreeableness), avg(neuroticism),
    avg(formality), avg(directness), avg(detail_orientation), avg(patience), avg(technical_comfort),
    (SELECT avg(last_calls.frustration_level) FROM (
       SELECT frustration_level FROM personality_metrics
       WHERE user_id = p_user_id ORDER BY measured_at DESC LIMIT 3) AS last_calls),
    (SELECT avg(last_calls.satisfaction_level) FROM (
       SELECT satisfaction_level FROM personality_metrics
       WHERE user_id = p_user_id ORDER BY measured_at DESC LIMIT 3) AS last_calls),
    (SELECT avg(last_calls.urgency_level) FROM (
       SELECT urgency_level FROM personality_metrics
       WHERE user_id = p_user_id ORDER BY measured_at DESC LIMIT 3) AS last_calls)
  FROM personality_metrics
  WHERE user_id = p_user_id
  ON CONFLICT (user_id) DO UPDATE SET
    call_count = excluded.call_count, last_updated = excluded.last_updated, avg_openness = excluded.avg_openness,
    avg_conscientiousness = excluded.avg_conscientiousness, avg_extraversion = excluded.avg_extraversion,
    avg_agreeableness = excluded.avg_agreeableness, avg_neuroticism = excluded.avg_neuroticism,
    avg_formality = excluded.avg_formality, avg_directness = excluded.avg_directness,
    avg_detail_orientation = excluded.avg_detail_orientation, avg_patience = excluded.avg_patience,
    avg_technical_comfort = excluded.avg_technical_comfort, recent_frustration = excluded.recent_frustration,
    recent_satisfaction = excluded.recent_satisfaction, recent_urgency = excluded.recent_urgency;
END
$function$;

-- function.trigger_update_personality_averages(): Restore the original trigger_update_personality_averages
CREATE OR REPLACE FUNCTION public.trigger_update_personality_averages()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  PERFORM update_personality_averages(NEW.user_id);
  RETURN NEW;
END
$function$;

-- memories.index.drop.idx_memories_customer_id_user_id: Drop the keys and indexes per tenant
DROP INDEX "public"."idx_memories_customer_id_user_id";

-- call_summaries.key.drop.call_summaries_customer_id_call_id_key: Drop the keys and indexes per tenant
ALTER TABLE "public"."call_summaries" DROP CONSTRAINT "call_summaries_customer_id_call_id_key";

-- call_summaries.index.drop.idx_call_summaries_customer_id_call_date: Drop the keys and indexes per tenant
DROP INDEX "public"."idx_call_summaries_customer_id_call_date";

-- call_summaries.index.drop.idx_call_summaries_customer_id_user_id: Drop the keys and indexes per tenant
DROP INDEX "public"."idx_call_summaries_customer_id_user_id";

-- caller_profiles.key.drop.caller_profiles_customer_id_user_id_key: Drop the keys and indexes per tenant
ALTER TABLE "public"."caller_profiles" DROP CONSTRAINT "caller_profiles_customer_id_user_id_key";

-- personality_metrics.index.drop.idx_personality_metrics_customer_id_user_id: Drop the keys and indexes per tenant
DROP INDEX "public"."idx_personality_metrics_customer_id_user_id";

-- personality_averages.key.drop.personality_averages_pkey: Drop the keys and indexes per tenant
ALTER TABLE "public"."personality_averages" DROP CONSTRAINT "personality_averages_pkey";

-- call_summaries.index.call_summaries_call_id_key: Restore the original keys and indexes
CREATE UNIQUE INDEX "call_summaries_call_id_key_original_key" ON public.call_summaries USING btree (call_id);

-- caller_profiles.index.caller_profiles_user_id_key: Restore the original keys and indexes
CREATE UNIQUE INDEX "caller_profiles_user_id_key_original_key" ON public.caller_profiles USING btree (user_id);

-- personality_averages.index.personality_averages_pkey: Restore the original keys and indexes
CREATE UNIQUE INDEX "personality_averages_pkey_original_key" ON public.personality_averages USING btree (user_id);

-- call_summaries.key.call_summaries_call_id_key: Restore the original keys and indexes
ALTER TABLE "public"."call_summaries" ADD CONSTRAINT "call_summaries_call_id_key" UNIQUE USING INDEX "call_summaries_call_id_key_original_key";

-- caller_profiles.key.caller_profiles_user_id_key: Restore the original keys and indexes
ALTER TABLE "public"."caller_profiles" ADD CONSTRAINT "caller_profiles_user_id_key" UNIQUE USING INDEX "caller_profiles_user_id_key_original_key";

-- personality_averages.key.personality_averages_pkey: Restore the original keys and indexes
ALTER TABLE "public"."personality_averages" ADD CONSTRAINT "personality_averages_pkey" PRIMARY KEY USING INDEX "personality_averages_pkey_original_key";

-- memories.column.drop: Drop customer_id; all rows remain
ALTER TABLE "public"."memories" DROP COLUMN "customer_id";

-- call_summaries.column.drop: Drop customer_id; all rows remain
ALTER TABLE "public"."call_summaries" DROP COLUMN "customer_id";

-- caller_profiles.column.drop: Drop customer_id; all rows remain
ALTER TABLE "public"."caller_profiles" DROP COLUMN "customer_id";

-- personality_metrics.column.drop: Drop customer_id; all rows remain
ALTER TABLE "public"."personality_metrics" DROP COLUMN "customer_id";

-- personality_averages.column.drop: Drop customer_id; all rows remain
ALTER TABLE "public"."personality_averages" DROP COLUMN "customer_id";

-- memories.grant: Grant the revoked privileges again
GRANT REFERENCES, TRUNCATE ON "public"."memories" TO "alice";

-- call_summaries.grant: Grant the revoked privileges again
GRANT REFERENCES, TRUNCATE ON "public"."call_summaries" TO "alice";

-- caller_profiles.grant: Grant the revoked privileges again
GRANT REFERENCES, TRUNCATE ON "public"."caller_profiles" TO "alice";

-- personality_metrics.grant: Grant the revoked privileges again
GRANT REFERENCES, TRUNCATE ON "public"."personality_metrics" TO "alice";

-- personality_averages.grant: Grant the revoked privileges again
GRANT REFERENCES, TRUNCATE ON "public"."personality_averages" TO "alice";
