BEGIN
  -- The row says whose it is, not the session that inserted it.
  PERFORM %schema%.update_personality_averages(NEW.customer_id, NEW.user_id);
  RETURN NEW;
END
