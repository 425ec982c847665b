-- Settings of PostgreSQL that differ from the default, and where they come from. Reads only.
SELECT coalesce(json_agg(json_build_object(
    'name', name, 'setting', setting, 'unit', unit, 'vartype', vartype, 'source', source,
    'file', sourcefile, 'line', sourceline, 'pending_restart', pending_restart) ORDER BY name), '[]') AS document
FROM pg_settings
WHERE setting IS DISTINCT FROM boot_val AND source NOT IN ('default', 'client', 'session')
