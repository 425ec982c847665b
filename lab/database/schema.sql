-- The AI-Memory database before tenants. Run as the owner; psql variable `embedding` is the type of the embeddings.
CREATE TABLE memories (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  type text NOT NULL,
  k text NOT NULL,
  value_json jsonb NOT NULL DEFAULT '{}',
  embedding :embedding,
  source text,
  ttl_days integer DEFAULT 365,
  created_at timestamptz NOT NULL DEFAULT now(),
  user_id text,
  scope text NOT NULL DEFAULT 'user'
);
CREATE INDEX idx_memories_k ON memories (k);
CREATE INDEX idx_memories_type ON memories (type);
CREATE INDEX idx_memories_created_at ON memories (created_at);

CREATE TABLE call_summaries (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  call_id varchar(255) NOT NULL UNIQUE,
  user_id varchar(255) NOT NULL,
  call_date timestamp NOT NULL DEFAULT now(),
  summary text NOT NULL,
  key_topics jsonb DEFAULT '[]',
  key_variables jsonb DEFAULT '{}',
  sentiment varchar(50),
  duration_seconds integer,
  resolution_status varchar(50),
  embedding :embedding,
  created_at timestamp DEFAULT now()
);
CREATE INDEX idx_call_summaries_user_id ON call_summaries (user_id);
CREATE INDEX idx_call_summaries_call_date ON call_summaries (call_date DESC);

CREATE TABLE caller_profiles (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id varchar(255) NOT NULL UNIQUE,
  first_call_date timestamp DEFAULT now(),
  last_call_date timestamp DEFAULT now(),
  total_calls integer DEFAULT 1,
  preferred_name varchar(255),
  preferences jsonb DEFAULT '{}',
  context jsonb DEFAULT '{}',
  created_at timestamp DEFAULT now(),
  updated_at timestamp DEFAULT now()
);
CREATE INDEX idx_caller_profiles_user_id ON caller_profiles (user_id);
CREATE INDEX idx_caller_profiles_last_call_date ON caller_profiles (last_call_date DESC);

CREATE TABLE personality_metrics (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id varchar(255) NOT NULL,
  call_id varchar(255) NOT NULL,
  measured_at timestamp NOT NULL DEFAULT now(),
  openness float CHECK (openness BETWEEN 0 AND 100),
  conscientiousness float CHECK (conscientiousness BETWEEN 0 AND 100),
  extraversion float CHECK (extraversion BETWEEN 0 AND 100),
  agreeableness float CHECK (agreeableness BETWEEN 0 AND 100),
  neuroticism float CHECK (neuroticism BETWEEN 0 AND 100),
  formality float CHECK (formality BETWEEN 0 AND 100),
  directness float CHECK (directness BETWEEN 0 AND 100),
  detail_orientation float CHECK (detail_orientation BETWEEN 0 AND 100),
  patience float CHECK (patience BETWEEN 0 AND 100),
  technical_comfort float CHECK (technical_comfort BETWEEN 0 AND 100),
  frustration_level float CHECK (frustration_level BETWEEN 0 AND 100),
  satisfaction_level float CHECK (satisfaction_level BETWEEN 0 AND 100),
  urgency_level float CHECK (urgency_level BETWEEN 0 AND 100),
  created_at timestamp DEFAULT now()
);
CREATE INDEX idx_personality_metrics_user_id ON personality_metrics (user_id);
CREATE INDEX idx_personality_metrics_call_id ON personality_metrics (call_id);
CREATE INDEX idx_personality_metrics_measured_at ON personality_metrics (measured_at DESC);

CREATE TABLE personality_averages (
  user_id varchar(255) PRIMARY KEY,
  call_count integer NOT NULL DEFAULT 0,
  last_updated timestamp DEFAULT now(),
  avg_openness float, avg_conscientiousness float, avg_extraversion float, avg_agreeableness float,
  avg_neuroticism float, avg_formality float, avg_directness float, avg_detail_orientation float,
  avg_patience float, avg_technical_comfort float,
  recent_frustration float, recent_satisfaction float, recent_urgency float,
  frustration_trend varchar(20), satisfaction_trend varchar(20)
);
CREATE INDEX idx_personality_averages_last_updated ON personality_averages (last_updated DESC);

CREATE FUNCTION update_personality_averages(p_user_id varchar) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO personality_averages AS averages
  SELECT p_user_id, count(*), now(),
    avg(openness), avg(conscientiousness), avg(extraversion), avg(agreeableness), avg(neuroticism),
    avg(formality), avg(directness), avg(detail_orientation), avg(patience), avg(technical_comfort),
    recent.frustration, recent.satisfaction, recent.urgency,
    CASE WHEN recent.frustration > avg(frustration_level) + 5 THEN 'increasing'
         WHEN recent.frustration < avg(frustration_level) - 5 THEN 'decreasing' ELSE 'stable' END,
    CASE WHEN recent.satisfaction > avg(satisfaction_level) + 5 THEN 'increasing'
         WHEN recent.satisfaction < avg(satisfaction_level) - 5 THEN 'decreasing' ELSE 'stable' END
  FROM personality_metrics,
    (SELECT avg(frustration_level) AS frustration, avg(satisfaction_level) AS satisfaction, avg(urgency_level) AS urgency
     FROM (SELECT frustration_level, satisfaction_level, urgency_level FROM personality_metrics
           WHERE user_id = p_user_id ORDER BY measured_at DESC LIMIT 3) AS last_calls) AS recent
  WHERE user_id = p_user_id
  GROUP BY recent.frustration, recent.satisfaction, recent.urgency
  ON CONFLICT (user_id) DO UPDATE SET
    call_count = excluded.call_count, last_updated = excluded.last_updated,
    avg_openness = excluded.avg_openness, avg_conscientiousness = excluded.avg_conscientiousness,
    avg_extraversion = excluded.avg_extraversion, avg_agreeableness = excluded.avg_agreeableness,
    avg_neuroticism = excluded.avg_neuroticism, avg_formality = excluded.avg_formality,
    avg_directness = excluded.avg_directness, avg_detail_orientation = excluded.avg_detail_orientation,
    avg_patience = excluded.avg_patience, avg_technical_comfort = excluded.avg_technical_comfort,
    recent_frustration = excluded.recent_frustration, recent_satisfaction = excluded.recent_satisfaction,
    recent_urgency = excluded.recent_urgency, frustration_trend = excluded.frustration_trend,
    satisfaction_trend = excluded.satisfaction_trend;
END
$$;

CREATE FUNCTION trigger_update_personality_averages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM update_personality_averages(NEW.user_id);
  RETURN NEW;
END
$$;

CREATE TRIGGER personality_metrics_averages AFTER INSERT ON personality_metrics
  FOR EACH ROW EXECUTE FUNCTION trigger_update_personality_averages();
