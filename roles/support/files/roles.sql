-- Roles with their attributes, memberships and settings, and the storage method of each password. Changes nothing.
SELECT json_agg(json_build_object(
    'name', a.rolname,
    'superuser', a.rolsuper, 'bypassrls', a.rolbypassrls, 'login', a.rolcanlogin, 'inherit', a.rolinherit,
    'createrole', a.rolcreaterole, 'createdb', a.rolcreatedb, 'replication', a.rolreplication,
    'connection_limit', a.rolconnlimit, 'expires', a.rolvaliduntil IS NOT NULL,
    'password_method', CASE
      WHEN a.rolpassword IS NULL THEN 'none'
      WHEN starts_with(a.rolpassword, 'SCRAM-SHA-256$') THEN 'SCRAM-SHA-256'
      WHEN a.rolpassword ~ '^md5[0-9a-f]{32}$' THEN 'md5'
      ELSE 'unknown' END,
    'member_of', (
      SELECT coalesce(json_agg(g.rolname ORDER BY g.rolname), '[]')
      FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = a.oid),
    'settings', (
      SELECT coalesce(json_agg(split_part(setting, '=', 1) ORDER BY setting), '[]')
      FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS setting WHERE s.setrole = a.oid)
  ) ORDER BY a.rolname) AS document
FROM pg_authid a
WHERE NOT starts_with(a.rolname, 'pg_')
