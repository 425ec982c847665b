-- What preflight must know of the server, in one round trip. Named argument: application_role.
SELECT json_build_object(
  'version', current_setting('server_version'),
  'version_num', current_setting('server_version_num')::int,
  'data_directory', CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN current_setting('data_directory') END,
  'standby', pg_is_in_recovery(),
  'admin_superuser', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
  'database_size_bytes', pg_database_size(current_database()),
  'application_role', (
    SELECT json_build_object('superuser', rolsuper, 'bypassrls', rolbypassrls, 'login', rolcanlogin)
    FROM pg_roles WHERE rolname = %(application_role)s)
) AS server
