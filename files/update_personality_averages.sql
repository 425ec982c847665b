-- The tenant is an argument, so that averages do not depend on the session's role or tenant.
BEGIN
  INSERT INTO %schema%.personality_averages (
    customer_id, user_id, call_count, last_updated,
    avg_openness, avg_conscientiousness, avg_extraversion, avg_agreeableness, avg_neuroticism,
    avg_formality, avg_directness, avg_detail_orientation, avg_patience, avg_technical_comfort,
    recent_frustration, recent_satisfaction, recent_urgency)
  -- Without GROUP BY there is one row, also of a caller who has no metrics.
  SELECT p_customer_id, p_user_id, count(*), now(),
    avg(openness), avg(conscientiousness), avg(extraversion), avg(agreeableness), avg(neuroticism),
    avg(formality), avg(directness), avg(detail_orientation), avg(patience), avg(technical_comfort),
    (SELECT avg(last_calls.frustration_level) FROM (
       SELECT frustration_level FROM %schema%.personality_metrics
       WHERE customer_id = p_customer_id AND user_id = p_user_id ORDER BY measured_at DESC LIMIT 3) AS last_calls),
    (SELECT avg(last_calls.satisfaction_level) FROM (
       SELECT satisfaction_level FROM %schema%.personality_metrics
       WHERE customer_id = p_customer_id AND user_id = p_user_id ORDER BY measured_at DESC LIMIT 3) AS last_calls),
    (SELECT avg(last_calls.urgency_level) FROM (
       SELECT urgency_level FROM %schema%.personality_metrics
       WHERE customer_id = p_customer_id AND user_id = p_user_id ORDER BY measured_at DESC LIMIT 3) AS last_calls)
  FROM %schema%.personality_metrics
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
