-- Seed the five tables with 5,755, 123, 45, 67 and 45 rows. Every value derives from a row number, so the rows are
-- always the same. The psql variable `embedding` is the type of the embeddings. The memories do not expire for years.
CREATE FUNCTION pg_temp.pick(text[], bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
  'SELECT $1[1 + abs(hashint8($2)::bigint) % array_length($1, 1)]';
CREATE FUNCTION pg_temp.caller(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$SELECT '+1555' || lpad((1000000 + n * 7919)::text, 7, '0')$$;
CREATE FUNCTION pg_temp.embedding(n bigint) RETURNS real[] LANGUAGE sql IMMUTABLE AS
  'SELECT array_agg((hashint8(n * 1000 + i) % 1000) / 1000.0 ORDER BY i)::real[] FROM generate_series(1, 768) AS i';

INSERT INTO memories (id, type, k, value_json, embedding, source, ttl_days, created_at, user_id, scope)
SELECT md5('memory' || n)::uuid,
  pg_temp.pick(ARRAY['fact', 'preference', 'policy', 'claim', 'contact', 'note'], n),
  pg_temp.pick(ARRAY['policy_number', 'renewal_date', 'preferred_contact', 'vehicle', 'claim_status', 'household',
                     'payment_method', 'language', 'callback_time', 'coverage_question'], n * 31),
  jsonb_build_object('text', format('%s %s %s', pg_temp.pick(ARRAY['Asked about', 'Confirmed', 'Wants to change', 'Was told'], n * 3),
      pg_temp.pick(ARRAY['the home policy', 'the auto policy', 'a windshield claim', 'the renewal', 'the umbrella cover', 'the deductible'], n * 5),
      pg_temp.pick(ARRAY['for next spring.', 'before the weekend.', 'after the storm.', 'by e-mail.', 'by phone.', '– «urgent».'], n * 7)),
    'confidence', (n % 100) / 100.0),
  pg_temp.embedding(n):::embedding,
  pg_temp.pick(ARRAY['orchestrator', 'import', 'agent'], n * 11), CASE WHEN n % 10 = 0 THEN NULL ELSE 3650 + n % 400 END,
  timestamptz '2025-01-06 08:00:00+00' + n * interval '73 minutes',
  CASE WHEN n % 17 = 0 THEN NULL ELSE pg_temp.caller(n % 45) END,
  CASE WHEN n % 17 = 0 THEN 'shared' ELSE 'user' END
FROM generate_series(1, 5755) AS n;

INSERT INTO call_summaries (id, call_id, user_id, call_date, summary, key_topics, key_variables, sentiment,
                            duration_seconds, resolution_status, embedding, created_at)
SELECT md5('summary' || n)::uuid, format('CA%s', md5('call' || n)), pg_temp.caller(n % 45),
  timestamp '2025-02-03 09:00:00' + n * interval '29 hours',
  format('Caller asked about %s; %s.', pg_temp.pick(ARRAY['a claim', 'the renewal', 'a quote', 'a payment', 'an address change'], n),
    pg_temp.pick(ARRAY['resolved on the call', 'an agent will call back', 'documents were sent'], n * 13)),
  jsonb_build_array(pg_temp.pick(ARRAY['claims', 'billing', 'renewal', 'quote'], n)), jsonb_build_object('call', n),
  pg_temp.pick(ARRAY['positive', 'neutral', 'negative'], n * 17), 45 + (n * 37) % 900,
  pg_temp.pick(ARRAY['resolved', 'follow_up', 'escalated'], n * 19),
  CASE WHEN n % 4 = 0 THEN NULL ELSE pg_temp.embedding(100000 + n) END:::embedding,
  timestamp '2025-02-03 09:10:00' + n * interval '29 hours'
FROM generate_series(1, 123) AS n;

INSERT INTO caller_profiles (id, user_id, first_call_date, last_call_date, total_calls, preferred_name, preferences,
                             context, created_at, updated_at)
SELECT md5('profile' || n)::uuid, pg_temp.caller(n), timestamp '2025-01-06 08:00:00' + n * interval '5 hours',
  timestamp '2025-06-02 08:00:00' + n * interval '31 hours', 1 + n % 9,
  pg_temp.pick(ARRAY['Maria', 'Jürgen', 'Aiko', 'O''Neil', 'Sam', 'Priya', 'Zoë', 'Luis'], n),
  jsonb_build_object('channel', pg_temp.pick(ARRAY['phone', 'sms', 'email'], n)), jsonb_build_object('household', 1 + n % 5),
  timestamp '2025-01-06 08:00:00' + n * interval '5 hours', timestamp '2025-06-02 08:00:00' + n * interval '31 hours'
FROM generate_series(0, 44) AS n;

-- For these rows, the trigger writes the averages: one row for each of the 45 callers.
INSERT INTO personality_metrics (id, user_id, call_id, measured_at, openness, conscientiousness, extraversion, agreeableness,
  neuroticism, formality, directness, detail_orientation, patience, technical_comfort, frustration_level,
  satisfaction_level, urgency_level, created_at)
SELECT md5('metric' || n)::uuid, pg_temp.caller(n % 45), format('CA%s', md5('call' || n)),
  timestamp '2025-03-03 10:00:00' + n * interval '17 hours',
  (n * 13) % 101, (n * 17) % 101, (n * 19) % 101, (n * 23) % 101, (n * 29) % 101, (n * 31) % 101, (n * 37) % 101,
  (n * 41) % 101, (n * 43) % 101, (n * 47) % 101, (n * 53) % 101, (n * 59) % 101, (n * 61) % 101,
  timestamp '2025-03-03 10:05:00' + n * interval '17 hours'
FROM generate_series(0, 66) AS n;
UPDATE personality_averages SET last_updated = timestamp '2025-06-01 00:00:00';
ANALYZE;
