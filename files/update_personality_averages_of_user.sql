-- Updates the caller's averages for each tenant whose rows the session may see: under row security only its own tenant.
BEGIN
  PERFORM %schema%.update_personality_averages(seen.customer_id, p_user_id)
  FROM (SELECT customer_id FROM %schema%.personality_metrics WHERE user_id = p_user_id
        -- A caller without metrics also gets a row, for the tenant of the session.
        UNION SELECT nullif(pg_catalog.current_setting('app.current_tenant', true), '')::integer) AS seen
  WHERE seen.customer_id IS NOT NULL;
END
