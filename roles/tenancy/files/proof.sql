-- The isolation proof. Makes every attempt as the application role with row security on, each in a subtransaction of its
-- own, compares what came of it with what may, takes everything back and raises when one attempt came out otherwise.
-- Reads tenancy_runbook.input: {role, setting, default_tenant, attempts: [{id, table, sentence, tenant, sql, expected,
-- keep}], contents: {table: sql}} and tenancy_runbook.before: {table: {rows, hash}}.
-- Writes its findings into tenancy_runbook.findings.
DO $proof$
DECLARE
  input CONSTANT jsonb := current_setting('tenancy_runbook.input')::jsonb;
  before CONSTANT jsonb := current_setting('tenancy_runbook.before')::jsonb;
  setting CONSTANT text := input ->> 'setting';
  -- The setting as SQL wants it after RESET.
  setting_name CONSTANT text := (SELECT string_agg(quote_ident(part), '.' ORDER BY place)
    FROM unnest(string_to_array(setting, '.')) WITH ORDINALITY AS p (part, place));
  found jsonb := '[]';
  attempt record;
  content record;
  affected bigint;
  state text;
  actual text;
  seen jsonb;
  leaks text;
BEGIN
  BEGIN
    PERFORM set_config('role', input ->> 'role', true), set_config('row_security', 'on', true);
    FOR attempt IN
      SELECT * FROM jsonb_to_recordset(input -> 'attempts')
        AS a (id text, "table" text, sentence text, tenant text, sql text, expected jsonb, keep boolean)
    LOOP
      BEGIN
        IF attempt.tenant IS NOT NULL THEN
          PERFORM set_config(setting, attempt.tenant, true);
        ELSE
          EXECUTE 'RESET ' || setting_name;
        END IF;
        EXECUTE attempt.sql;
        GET DIAGNOSTICS affected = ROW_COUNT;
        actual := affected || ' rows';
        IF NOT attempt.keep THEN
          RAISE SQLSTATE 'TR001';
        END IF;
      EXCEPTION
        WHEN SQLSTATE 'TR001' THEN NULL;
        WHEN OTHERS THEN
          GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE;
          actual := 'error ' || state;
      END;
      found := found || jsonb_build_object(
        'check', attempt.id, 'table', attempt."table", 'sentence', attempt.sentence, 'expected', attempt.expected,
        'actual', actual, 'ok', attempt.expected ? actual);
    END LOOP;
    -- The default tenant reads exactly the rows that were there before.
    PERFORM set_config(setting, input ->> 'default_tenant', true);
    FOR content IN SELECT key AS name, value AS sql FROM jsonb_each_text(input -> 'contents') LOOP
      BEGIN
        EXECUTE content.sql INTO seen;
      EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE;
        seen := to_jsonb('error ' || state);
      END;
      found := found || jsonb_build_object(
        'check', content.name || '.content', 'table', content.name,
        'sentence', 'Tenant ' || (input ->> 'default_tenant') || ' reads exactly the rows of before',
        'expected', before -> content.name, 'actual', seen, 'ok', coalesce(seen = before -> content.name, false));
    END LOOP;
    RAISE SQLSTATE 'TR002';
  EXCEPTION WHEN SQLSTATE 'TR002' THEN NULL;
  END;
  PERFORM set_config('tenancy_runbook.findings', found::text, true);
  SELECT string_agg(format('%s: %s: %s instead of %s', f ->> 'check', f ->> 'sentence', f ->> 'actual', f ->> 'expected'), '; ')
  INTO leaks FROM jsonb_array_elements(found) AS f WHERE (f ->> 'ok')::boolean IS NOT TRUE;
  IF found = '[]' THEN
    leaks := 'no attempt was made';
  END IF;
  IF leaks IS NOT NULL THEN
    RAISE EXCEPTION 'The isolation proof failed: %', leaks USING ERRCODE = 'TR003';
  END IF;
END
$proof$
