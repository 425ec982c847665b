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
