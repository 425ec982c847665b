BEGIN
  -- Row security decides whose rows are seen: the session's tenant's. Without it every tenant's averages come from its own rows.
  PERFORM %schema%.update_personality_averages(seen.customer_id, p_user_id)
  FROM (SELECT DISTINCT customer_id FROM %schema%.personality_metrics WHERE user_id = p_user_id) AS seen;
END
