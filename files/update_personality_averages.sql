BEGIN
  -- The tenant is an argument: a superuser's session, or one of another tenant, must not decide whose averages change.
  INSERT INTO personality_averages AS averages (
    customer_id, user_id, call_count, last_updated,
    avg_openness, avg_conscientiousness, avg_extraversion, avg_agreeableness, avg_neuroticism,
    avg_formality, avg_directness, avg_detail_orientation, avg_patience, avg_technical_comfort)
  SELECT p_customer_id, p_user_id, count(*), now(),
    avg(openness), avg(conscientiousness), avg(extraversion), avg(agreeableness), avg(neuroticism),
    avg(formality), avg(directness), avg(detail_orientation), avg(patience), avg(technical_comfort)
  FROM personality_metrics
  WHERE customer_id = p_customer_id AND user_id = p_user_id
  ON CONFLICT (customer_id, user_id) DO NOTHING;
END
