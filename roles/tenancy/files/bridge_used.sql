-- When a session last worked by the bridge (null: never) and now, in seconds since 1970. Named argument: schema.
-- (A percent sign is doubled because named arguments are in use.)
SELECT pg_sequence_last_value(to_regclass(format('%%I.tenancy_bridge_used', %(schema)s))) AS used_at,
       extract(epoch FROM clock_timestamp())::bigint AS now
