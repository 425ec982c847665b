-- Seed memories with `rows` rows (a psql variable), and the other tables in proportion (123, 45, 67 and 45 for 5,755).
-- The embeddings have `dimensions` dimensions and form a hundred clusters. Run this script as the owner, after
-- lab/database/schema.sql.
INSERT INTO memories (type, k, value_json, embedding, source, user_id, created_at)
SELECT 'fact', 'note', jsonb_build_object('text', 'sentence ' || n), e.embedding, 'call', '+1555' || n % (:rows / 128 + 1),
  now() - n * interval '3 seconds'
FROM generate_series(1::bigint, :rows) AS n,
  LATERAL (SELECT array_agg((hashint8(n % 100 * 1000 + i) % 1000 + 0.3 * (hashint8(n * 1000 + i) % 1000)) / 1000.0 ORDER BY i)::real[] AS embedding
           FROM generate_series(1, :dimensions) AS i) AS e;
INSERT INTO call_summaries (call_id, user_id, summary, call_date)
SELECT 'call ' || n, '+1555' || n % (:rows / 128 + 1), 'asked for a quote', now() - n * interval '3 minutes'
FROM generate_series(1, :rows / 47 + 1) AS n;
INSERT INTO caller_profiles (user_id, first_call_date, last_call_date)
SELECT '+1555' || n, now(), now() FROM generate_series(0, :rows / 128) AS n;
-- Without this statement, the trigger computes a caller's averages again for each row.
ALTER TABLE personality_metrics DISABLE TRIGGER USER;
INSERT INTO personality_metrics (user_id, call_id, measured_at, openness)
SELECT '+1555' || n % (:rows / 128 + 1), 'call ' || n, now(), 50 FROM generate_series(1, :rows / 86 + 1) AS n;
ALTER TABLE personality_metrics ENABLE TRIGGER USER;
INSERT INTO personality_averages (user_id, call_count, last_updated)
SELECT '+1555' || n, 1, now() FROM generate_series(0, :rows / 128) AS n;
-- The schema script built this index while the table was empty.
REINDEX INDEX idx_memories_embedding;
