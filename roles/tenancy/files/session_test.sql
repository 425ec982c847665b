-- The guide's Test 1, as the application role: with the tenant set its rows are visible; unset, after RESET
-- and for a tenant without rows there are none. Writes its findings into the setting tenancy_runbook.findings.
-- Reads tenancy_runbook.input: {schema, role, setting, column, tenant, stranger, tables: [name]}.
-- Wants a transaction of one snapshot (REPEATABLE READ), in which it counts twice: the service goes on storing.
-- (A percent sign is doubled because named arguments are in use.)
DO $session_test$
DECLARE
  input CONSTANT jsonb := current_setting('tenancy_runbook.input')::jsonb;
  setting CONSTANT text := input ->> 'setting';
  found jsonb := '[]';
  owned jsonb := '{}';
  attempt record;
  item record;
  visible bigint;
BEGIN
  FOR item IN SELECT name FROM jsonb_array_elements_text(input -> 'tables') AS name LOOP
    EXECUTE format('SELECT count(*) FROM %%I.%%I WHERE %%I = %%L',
                   input ->> 'schema', item.name, input ->> 'column', input ->> 'tenant') INTO visible;
    owned := owned || jsonb_build_object(item.name, visible);
  END LOOP;
  EXECUTE format('SET LOCAL ROLE %%I', input ->> 'role');
  SET LOCAL row_security = on;
  -- The order matters: "unset" can be tried only before the setting is first given a value in this session.
  FOR attempt IN
    SELECT * FROM (VALUES
      (1, 'no tenant set: rows visible', NULL, false),
      (2, 'default tenant: rows visible', input ->> 'tenant', true),
      (3, 'after RESET: rows visible', NULL, false),
      (4, 'tenant without rows: rows visible', input ->> 'stranger', false)
    ) AS a (place, title, tenant, owns) ORDER BY place
  LOOP
    IF attempt.tenant IS NOT NULL THEN
      PERFORM set_config(setting, attempt.tenant, true);
    ELSIF attempt.place > 1 THEN
      EXECUTE 'RESET ' || (SELECT string_agg(quote_ident(part), '.') FROM unnest(string_to_array(setting, '.')) AS part);
    END IF;
    FOR item IN SELECT key AS name, value::bigint AS rows FROM jsonb_each_text(owned) ORDER BY key LOOP
      EXECUTE format('SELECT count(*) FROM %%I.%%I', input ->> 'schema', item.name) INTO visible;
      found := found || jsonb_build_object(
        'check', attempt.title, 'table', item.name,
        'expected', CASE WHEN attempt.owns THEN item.rows ELSE 0 END, 'actual', visible,
        'ok', visible = CASE WHEN attempt.owns THEN item.rows ELSE 0 END);
    END LOOP;
  END LOOP;
  RESET ROLE;
  PERFORM set_config('tenancy_runbook.findings', found::text, true);
END
$session_test$
