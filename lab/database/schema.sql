-- The AI-Memory database before the migration, with the columns, defaults, names and comments of the production
-- database. Run this file as the owner, in a database with the uuid-ossp extension. The psql variable `embedding` is
-- the type of the embeddings.
CREATE TABLE memories (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  type text NOT NULL,
  k text NOT NULL,
  value_json jsonb NOT NULL,
  embedding :embedding NOT NULL,
  source text DEFAULT 'orchestrator',
  ttl_days integer DEFAULT 365,
  created_at timestamptz DEFAULT now(),
  user_id text,
  scope text DEFAULT 'user'
);
CREATE INDEX idx_memories_k ON memories (k);
CREATE INDEX idx_memories_type ON memories (type);
CREATE INDEX idx_memories_created_at ON memories (created_at);
-- As in production, the index is built on the empty table, so its lists are useless. Suppress pgvector's notice about
-- that.
SELECT starts_with(:'embedding', 'vector') AS has_pgvector \gset
\if :has_pgvector
SET client_min_messages = warning;
CREATE INDEX idx_memories_embedding ON memories USING ivfflat (embedding vector_l2_ops) WITH (lists = 100);
RESET client_min_messages;
\endif

CREATE TABLE call_summaries (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  call_id varchar(255) NOT NULL UNIQUE,
  user_id varchar(255) NOT NULL,
  call_date timestamp NOT NULL,
  summary text NOT NULL,
  key_topics jsonb,
  key_variables jsonb,
  sentiment varchar(50),
  duration_seconds integer,
  resolution_status varchar(50),
  embedding :embedding,
  created_at timestamp NOT NULL DEFAULT now()
);
CREATE INDEX idx_call_summaries_user_id ON call_summaries (user_id);
CREATE INDEX idx_call_summaries_call_date ON call_summaries (call_date DESC);
COMMENT ON TABLE call_summaries IS 'One row a call: its summary, topics and outcome';

CREATE TABLE caller_profiles (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  user_id varchar(255) NOT NULL UNIQUE,
  first_call_date timestamp NOT NULL,
  last_call_date timestamp NOT NULL,
  total_calls integer,
  preferred_name varchar(255),
  preferences jsonb,
  context jsonb,
  created_at timestamp NOT NULL DEFAULT now(),
  updated_at timestamp NOT NULL DEFAULT now()
);
CREATE INDEX idx_caller_profiles_user_id ON caller_profiles (user_id);
CREATE INDEX idx_caller_profiles_last_call ON caller_profiles (last_call_date DESC);
COMMENT ON TABLE caller_profiles IS 'One row a caller: what is known of them over all calls';

CREATE TABLE personality_metrics (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  user_id varchar(255) NOT NULL,
  call_id varchar(255) NOT NULL,
  measured_at timestamp NOT NULL,
  openness float CHECK (openness >= 0 AND openness <= 100),
  conscientiousness float CHECK (conscientiousness >= 0 AND conscientiousness <= 100),
  extraversion float CHECK (extraversion >= 0 AND extraversion <= 100),
  agreeableness float CHECK (agreeableness >= 0 AND agreeableness <= 100),
  neuroticism float CHECK (neuroticism >= 0 AND neuroticism <= 100),
  formality float CHECK (formality >= 0 AND formality <= 100),
  directness float CHECK (directness >= 0 AND directness <= 100),
  detail_orientation float CHECK (detail_orientation >= 0 AND detail_orientation <= 100),
  patience float CHECK (patience >= 0 AND patience <= 100),
  technical_comfort float CHECK (technical_comfort >= 0 AND technical_comfort <= 100),
  frustration_level float CHECK (frustration_level >= 0 AND frustration_level <= 100),
  satisfaction_level float CHECK (satisfaction_level >= 0 AND satisfaction_level <= 100),
  urgency_level float CHECK (urgency_level >= 0 AND urgency_level <= 100),
  created_at timestamp NOT NULL DEFAULT now()
);
CREATE INDEX idx_personality_metrics_user_id ON personality_metrics (user_id);
CREATE INDEX idx_personality_metrics_call_id ON personality_metrics (call_id);
CREATE INDEX idx_personality_metrics_measured_at ON personality_metrics (measured_at DESC);
COMMENT ON TABLE personality_metrics IS 'One row a call: the scores that were measured in it, each from 0 to 100';

CREATE TABLE personality_averages (
  user_id varchar(255) PRIMARY KEY,
  call_count integer,
  last_updated timestamp NOT NULL,
  avg_openness float, avg_conscientiousness float, avg_extraversion float, avg_agreeableness float, avg_neuroticism float,
  avg_formality float, avg_directness float, avg_detail_orientation float, avg_patience float, avg_technical_comfort float,
  recent_frustration float, recent_satisfaction float, recent_urgency float,
  -- No code writes these columns.
  frustration_trend varchar(20), satisfaction_trend varchar(20)
);
CREATE INDEX idx_personality_averages_last_updated ON personality_averages (last_updated DESC);
COMMENT ON TABLE personality_averages IS 'One row a caller: the averages of the scores, and those of the last three calls';

CREATE FUNCTION update_personality_averages(p_user_id varchar) RETURNS void LANGUAGE plpgsql AS $$
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
$$;

CREATE FUNCTION trigger_update_personality_averages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM update_personality_averages(NEW.user_id);
  RETURN NEW;
END
$$;

CREATE TRIGGER personality_metrics_insert_trigger AFTER INSERT ON personality_metrics
  FOR EACH ROW EXECUTE FUNCTION trigger_update_personality_averages();
