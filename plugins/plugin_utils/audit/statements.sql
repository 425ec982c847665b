-- Finds statements to which a rule applies, among those of the application role and of the role that it replaces. The
-- block searches the last statement of each session of these roles, and pg_stat_statements if that extension exists. It
-- only reads, and returns no statement's text, because the text may contain callers' data. The setting
-- tenancy_runbook.input contains the input: {schema, tables: [name], column, application_role, replaced_role,
-- natural_keys: [{table, columns}]}. The block writes the result, {rule: [table]}, to the setting
-- tenancy_runbook.statements.
-- A percent sign is doubled because the query has named arguments.
DO $statements$
DECLARE
  input CONSTANT jsonb := current_setting('tenancy_runbook.input')::jsonb;
  -- The extension's own function is used, because another role may own a view with the same name.
  known CONSTANT text := (
    SELECT format('%%I.%%I', n.nspname, f.proname)
    FROM pg_catalog.pg_extension e
    JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
      AND d.deptype = 'e' AND d.classid = 'pg_catalog.pg_proc'::regclass
    JOIN pg_catalog.pg_proc f ON f.oid = d.objid AND f.proname = 'pg_stat_statements'
    JOIN pg_catalog.pg_roles o ON o.oid = f.proowner AND o.rolsuper
    JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
    WHERE e.extname = 'pg_stat_statements');
  queries text[] := ARRAY(
    SELECT query FROM pg_catalog.pg_stat_activity
    WHERE datname = current_database() AND usename IN (input ->> 'application_role', input ->> 'replaced_role'));
  more text[];
BEGIN
  IF known IS NOT NULL THEN
    BEGIN
      EXECUTE format(
        'SELECT array_agg(s.query) FROM %%s(true) s'
        ' WHERE s.userid IN (SELECT oid FROM pg_catalog.pg_roles WHERE rolname IN (%%L, %%L))'
        ' AND s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())',
        known, input ->> 'application_role', input ->> 'replaced_role') INTO more;
      queries := queries || more;
    EXCEPTION
      -- The extension exists, but its library is not loaded.
      WHEN object_not_in_prerequisite_state THEN NULL;
    END;
  END IF;
  PERFORM set_config('tenancy_runbook.statements', coalesce((
    SELECT jsonb_object_agg(rule, names) FROM (
      SELECT rule, jsonb_agg(DISTINCT name) AS names
      FROM jsonb_array_elements_text(input -> 'tables') AS name
      CROSS JOIN LATERAL (SELECT format('(only\s+)?("?\w+"?\.)?"?%%s"?',
        regexp_replace(replace(name, '"', '""'), '([][!$()*+.:<=>?\\^{|}-])', '\\\1', 'g'))) AS p (title)
      -- If the table already has the tenant column, the migration adds no column that could break such a statement.
      CROSS JOIN LATERAL (SELECT NOT EXISTS (
        SELECT FROM pg_catalog.pg_attribute
        WHERE attrelid = to_regclass(format('%%I.%%I', input ->> 'schema', name))
          AND attname = input ->> 'column' AND NOT attisdropped)) AS c (lacks_column)
      CROSS JOIN unnest(queries) AS query
      CROSS JOIN LATERAL (VALUES
        /* one row a rule */
      ) AS r (rule, met)
      WHERE met
      GROUP BY rule) AS found), '{}')::text, false);
END
$statements$
