-- Make the attempts of the isolation proof, in one call of a function that the application role owns. Code in the
-- database that an attempt runs has the privileges of that role, and cannot regain the privileges of the caller. The
-- transaction sets a savepoint, creates the function, and makes the role its owner. It then calls the function once and
-- rolls back to the savepoint. Without the rollback, the owner could change the function afterwards, or leave behind
-- changed settings and pending deferred triggers.
--
-- The search path is that of the service's login, so every name is qualified, and no operator is used. The
-- outcomes are stored in a variable that code in the database cannot access, and the caller evaluates them. The loop
-- uses a counter and no query, because other code could move the cursor of a query.
--
-- The parameter is {setting, setting_name (quoted for SQL), lock_timeout, settings: [[name, value]], attempts}.
-- Each attempt is {tenant, sql, keep, value, theirs}, and "theirs" is null or {tenant, sql}.
-- The query in "theirs" runs first, as its own tenant, and its result is the parameter $1 of sql.
-- The result has one object for each attempt. It is {rows}, {value} if sql returns a value ("value": true), or
-- {error, column, table, constraint, datatype}.
CREATE FUNCTION pg_temp.tenancy_attempts(given pg_catalog.jsonb) RETURNS pg_catalog.jsonb
LANGUAGE plpgsql SECURITY DEFINER AS $tenancy_attempts$
DECLARE
  found_all pg_catalog.jsonb[] := ARRAY[]::pg_catalog.jsonb[];
  found_one pg_catalog.jsonb;
  attempts CONSTANT pg_catalog.jsonb := pg_catalog.jsonb_extract_path(given, 'attempts');
  settings CONSTANT pg_catalog.jsonb := pg_catalog.jsonb_extract_path(given, 'settings');
  tenant_setting CONSTANT pg_catalog.text := pg_catalog.jsonb_extract_path_text(given, 'setting');
  attempt pg_catalog.jsonb;
  theirs pg_catalog.json;
  value pg_catalog.jsonb;
  affected pg_catalog.int8;
  is_fresh pg_catalog.bool := false;
  is_done pg_catalog.bool;
  sqlstate_of pg_catalog.text;
  column_of pg_catalog.text;
  table_of pg_catalog.text;
  constraint_of pg_catalog.text;
  datatype_of pg_catalog.text;
BEGIN
  FOR place IN 1 .. pg_catalog.jsonb_array_length(attempts) LOOP
    attempt := pg_catalog.jsonb_extract_path(attempts, pg_catalog.concat(pg_catalog.int4mi(place, 1)));
    found_one := NULL;
    is_done := false;
    theirs := NULL;
    -- Each attempt starts like a new session of the service, whatever an earlier attempt has set. An attempt that is
    -- not kept is rolled back together with its settings.
    IF NOT is_fresh THEN
      RESET ALL;
      FOR number IN 1 .. pg_catalog.jsonb_array_length(settings) LOOP
        BEGIN
          PERFORM pg_catalog.set_config(
            pg_catalog.jsonb_extract_path_text(settings, pg_catalog.concat(pg_catalog.int4mi(number, 1)), '0'),
            pg_catalog.jsonb_extract_path_text(settings, pg_catalog.concat(pg_catalog.int4mi(number, 1)), '1'), true);
        EXCEPTION WHEN OTHERS THEN
          -- Only a superuser may change this setting, or its library is not loaded.
          NULL;
        END;
      END LOOP;
      PERFORM pg_catalog.set_config('lock_timeout', pg_catalog.jsonb_extract_path_text(given, 'lock_timeout'), true);
      PERFORM pg_catalog.set_config('row_security', 'on', true);
      is_fresh := true;
    END IF;
    BEGIN
      IF pg_catalog.jsonb_extract_path_text(attempt, 'theirs') IS NOT NULL THEN
        PERFORM pg_catalog.set_config(
          tenant_setting, pg_catalog.jsonb_extract_path_text(attempt, 'theirs', 'tenant'), true);
        EXECUTE pg_catalog.jsonb_extract_path_text(attempt, 'theirs', 'sql') INTO theirs;
      END IF;
      IF pg_catalog.jsonb_extract_path_text(attempt, 'tenant') IS NOT NULL THEN
        PERFORM pg_catalog.set_config(tenant_setting, pg_catalog.jsonb_extract_path_text(attempt, 'tenant'), true);
      ELSIF pg_catalog.current_setting(tenant_setting, true) IS NOT NULL THEN
        -- RESET of a setting that is unknown in the session would create it with an empty value.
        EXECUTE pg_catalog.concat('RESET ', pg_catalog.jsonb_extract_path_text(given, 'setting_name'));
      END IF;
      IF pg_catalog.jsonb_extract_path_text(attempt, 'value') IS NOT NULL THEN
        EXECUTE pg_catalog.jsonb_extract_path_text(attempt, 'sql') INTO value;
        found_one := pg_catalog.jsonb_build_object('value', value);
      ELSE
        EXECUTE pg_catalog.jsonb_extract_path_text(attempt, 'sql') USING theirs;
        GET DIAGNOSTICS affected = ROW_COUNT;
        found_one := pg_catalog.jsonb_build_object('rows', affected);
      END IF;
      -- Deferred constraints are checked as a part of the attempt.
      SET CONSTRAINTS ALL IMMEDIATE;
      is_done := true;
      IF pg_catalog.jsonb_extract_path_text(attempt, 'keep') IS NULL THEN
        RAISE raise_exception;
      END IF;
      is_fresh := false;
    EXCEPTION
      -- OTHERS does not include these two conditions, which code in the database can also raise.
      WHEN OTHERS OR query_canceled OR assert_failure THEN
        IF NOT is_done THEN
          GET STACKED DIAGNOSTICS sqlstate_of = RETURNED_SQLSTATE, column_of = COLUMN_NAME, table_of = TABLE_NAME,
                                  constraint_of = CONSTRAINT_NAME, datatype_of = PG_DATATYPE_NAME;
          found_one := pg_catalog.jsonb_build_object(
            'error', sqlstate_of, 'column', column_of, 'table', table_of, 'constraint', constraint_of,
            'datatype', datatype_of);
        END IF;
    END;
    found_all := pg_catalog.array_append(found_all, found_one);
  END LOOP;
  RETURN pg_catalog.to_jsonb(found_all);
END
$tenancy_attempts$
