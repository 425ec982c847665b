BEGIN
  PERFORM update_personality_averages(nullif(current_setting('app.current_tenant', true), '')::integer, p_user_id);
END
