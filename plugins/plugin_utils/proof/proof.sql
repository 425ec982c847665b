-- The attempts of the isolation proof, in one call of a function that the application role owns: whatever code of the
-- database an attempt meets runs with the rights of that role, and no way leads from inside to the caller's. The
-- transaction around it takes a savepoint, makes the function, gives it to the role, calls it once and goes back to the
-- savepoint: its owner could change it afterwards, or leave settings and deferred triggers behind.
--
-- Its search path is that of the service's login, so that every name here is qualified, and no operator is used. What
-- it found travels in a variable that the database's code cannot reach, and it is judged by the caller. It counts instead
-- of reading from a query: whatever code knows the name of a cursor may move it.
--
-- given: {setting, setting_name (quoted for SQL), lock_timeout, settings: [[name, value]], attempts: [{tenant, sql, keep,
-- theirs: null or {tenant, sql}}]}. "theirs" is read first, as that tenant, and is $1 of sql. Returns one object for each
-- attempt: {rows}, {value} where sql returns one ("value": true), or {error, column, table, constraint, datatype}.
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
      -- Each attempt begins as a new session of the service would, whatever the one before has set.
      RESET ALL;
      FOR number IN 1 .. pg_catalog.jsonb_array_length(settings) LOOP
        BEGIN
          PERFORM pg_catalog.set_config(
            pg_catalog.jsonb_extract_path_text(settings, pg_catalog.concat(pg_catalog.int4mi(number, 1)), '0'),
            pg_catalog.jsonb_extract_path_text(settings, pg_catalog.concat(pg_catalog.int4mi(number, 1)), '1'), true);
        EXCEPTION WHEN OTHERS THEN
          -- What only a superuser may set, or what a library knows that is not loaded.
          NULL;
        END;
      END LOOP;
      PERFORM pg_catalog.set_config('lock_timeout', pg_catalog.jsonb_extract_path_text(given, 'lock_timeout'), true);
      PERFORM pg_catalog.set_config('row_security', 'on', true);
      IF pg_catalog.jsonb_extract_path_text(attempt, 'theirs') IS NOT NULL THEN
        PERFORM pg_catalog.set_config(tenant_setting, pg_catalog.jsonb_extract_path_text(attempt, 'theirs', 'tenant'), true);
        EXECUTE pg_catalog.jsonb_extract_path_text(attempt, 'theirs', 'sql') INTO theirs;
      END IF;
      IF pg_catalog.jsonb_extract_path_text(attempt, 'tenant') IS NOT NULL THEN
        PERFORM pg_catalog.set_config(tenant_setting, pg_catalog.jsonb_extract_path_text(attempt, 'tenant'), true);
      ELSIF pg_catalog.current_setting(tenant_setting, true) IS NOT NULL THEN
        -- RESET of a setting that the session does not know would make it known, and empty.
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
      -- What was put off belongs to the attempt.
      SET CONSTRAINTS ALL IMMEDIATE;
      is_done := true;
      IF pg_catalog.jsonb_extract_path_text(attempt, 'keep') IS NULL THEN
        RAISE raise_exception;
      END IF;
    EXCEPTION
      -- OTHERS are all but these two, which the database's code can raise as well.
      WHEN OTHERS OR query_canceled OR assert_failure THEN
        IF NOT is_done THEN
          GET STACKED DIAGNOSTICS sqlstate_of = RETURNED_SQLSTATE, column_of = COLUMN_NAME, table_of = TABLE_NAME,
                                  constraint_of = CONSTRAINT_NAME, datatype_of = PG_DATATYPE_NAME;
          found_one := pg_catalog.jsonb_build_object(
            'error', sqlstate_of, 'column', column_of, 'table', table_of, 'constraint', constraint_of, 'datatype', datatype_of);
        END IF;
    END;
    found_all := pg_catalog.array_append(found_all, found_one);
  END LOOP;
  RETURN pg_catalog.to_jsonb(found_all);
END
$tenancy_attempts$
