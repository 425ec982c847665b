-- The attempts of the isolation proof, in one call of a function that the application role owns. Code of the database
-- that an attempt runs has the privileges of that role, and cannot return to those of the caller. The transaction
-- takes a savepoint, creates the function, gives it to the role, calls it once and rolls back to the savepoint. Without
-- the rollback, the function's owner could change it afterwards, or leave settings and deferred triggers.
--
-- The search path is that of the service's login. So every name here is qualified, and no operator is used. The
-- outcomes are in a variable that the database's code cannot reach, and the caller judges them. The loop counts instead
-- of reading from a query: code that knows a cursor's name may move the cursor.
--
-- The parameter: {setting, setting_name (quoted for SQL), lock_timeout, settings: [[name, value]], attempts}.
-- An attempt: {tenant, sql, keep, value, theirs: null or {tenant, sql}}.
-- "theirs" runs first, as that tenant, and its result is $1 of sql.
-- The result has one object for each attempt: {rows}, {value} if sql returns one ("value": true), or {error, column,
-- table, constraint, datatype}.
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
    BEGIN
      -- Each attempt starts like a new session of the service, whatever an earlier attempt has set.
      RESET ALL;
      FOR number IN 1 .. pg_catalog.jsonb_array_length(settings) LOOP
        BEGIN
          PERFORM pg_catalog.set_config(
            pg_catalog.jsonb_extract_path_text(settings, pg_catalog.concat(pg_catalog.int4mi(number, 1)), '0'),
            pg_catalog.jsonb_extract_path_text(settings, pg_catalog.concat(pg_catalog.int4mi(number, 1)), '1'), true);
        EXCEPTION WHEN OTHERS THEN
          -- Only a superuser may set it, or it belongs to a library that is not loaded.
          NULL;
        END;
      END LOOP;
      PERFORM pg_catalog.set_config('lock_timeout', pg_catalog.jsonb_extract_path_text(given, 'lock_timeout'), true);
      PERFORM pg_catalog.set_config('row_security', 'on', true);
      IF pg_catalog.jsonb_extract_path_text(attempt, 'theirs') IS NOT NULL THEN
        PERFORM pg_catalog.set_config(
          tenant_setting, pg_catalog.jsonb_extract_path_text(attempt, 'theirs', 'tenant'), true);
        EXECUTE pg_catalog.jsonb_extract_path_text(attempt, 'theirs', 'sql') INTO theirs;
      END IF;
      IF pg_catalog.jsonb_extract_path_text(attempt, 'tenant') IS NOT NULL THEN
        PERFORM pg_catalog.set_config(tenant_setting, pg_catalog.jsonb_extract_path_text(attempt, 'tenant'), true);
      ELSIF pg_catalog.current_setting(tenant_setting, true) IS NOT NULL THEN
        -- RESET of a setting that the session does not know would create it as an empty one.
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
      -- Deferred constraints belong to the attempt.
      SET CONSTRAINTS ALL IMMEDIATE;
      is_done := true;
      IF pg_catalog.jsonb_extract_path_text(attempt, 'keep') IS NULL THEN
        RAISE raise_exception;
      END IF;
    EXCEPTION
      -- OTHERS does not include these two, which the database's code can also raise.
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
