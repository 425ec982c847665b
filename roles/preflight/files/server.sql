-- Reads the facts about the server that preflight needs, in one round trip. Named argument: app_role (the role that a
-- run can provide).
SELECT json_build_object(
  'version', current_setting('server_version'),
  'version_num', current_setting('server_version_num')::int,
  -- Raises an error if the server was built without libxml, because the query of the state uses XMLTABLE.
  'reads_xml', '<row/>'::xml IS DOCUMENT,
  'standby', pg_is_in_recovery(),
  'clock', extract(epoch FROM clock_timestamp())::float,
  'encoding', (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()),
  'admin_superuser', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
  'database_size_bytes', pg_database_size(current_database()),
  -- Each role, and whether it bypasses all policies.
  'roles', (SELECT json_object_agg(rolname, rolsuper OR rolbypassrls) FROM pg_roles),
  'app_role', (SELECT json_build_object('comment', shobj_description(oid, 'pg_authid')) FROM pg_roles
    WHERE rolname = %(app_role)s),
  -- Roles that can bypass policies.
  'bypassing_roles', (
    SELECT json_agg(rolname ORDER BY rolname) FROM pg_roles
    WHERE rolsuper OR rolbypassrls
      OR rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
) AS server
