-- As many callers as the session may see: its own tenant's alone under row security, else each tenant's from its own rows.
BEGIN
  PERFORM %schema%.update_personality_averages(seen.customer_id, p_user_id)
  FROM (SELECT customer_id FROM %schema%.personality_metrics WHERE user_id = p_user_id
        -- A caller who has no metrics gets a row as well: the tenant's that the session names.
        UNION SELECT nullif(pg_catalog.current_setting('app.current_tenant', true), '')::integer) AS seen
  WHERE seen.customer_id IS NOT NULL;
END
