BEGIN
  -- The tenant comes from the row, not from the session that inserted it.
  PERFORM %schema%.update_personality_averages(NEW.customer_id, NEW.user_id);
  RETURN NEW;
END
