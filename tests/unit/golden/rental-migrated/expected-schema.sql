-- boats.policy.drop.tenant_isolation_boats: Drop the policies of the migration
DROP POLICY "tenant_isolation_boats" ON "rental"."boats";

-- berths.policy.drop.tenant_isolation_berths: Drop the policies of the migration
DROP POLICY "tenant_isolation_berths" ON "rental"."berths";

-- trips.policy.drop.tenant_isolation_trips: Drop the policies of the migration
DROP POLICY "tenant_isolation_trips" ON "rental"."trips";

-- water_levels.policy.drop.tenant_isolation_water_levels.rental.water_levels_2025_a: Drop the policies of the migration
DROP POLICY "tenant_isolation_water_levels" ON "rental"."water_levels_2025_a";

-- water_levels.policy.drop.tenant_isolation_water_levels.rental.water_levels_2025_others: Drop the policies of the migration
DROP POLICY "tenant_isolation_water_levels" ON "rental"."water_levels_2025_others";

-- water_levels.policy.drop.tenant_isolation_water_levels.rental.water_levels_2025: Drop the policies of the migration
DROP POLICY "tenant_isolation_water_levels" ON "rental"."water_levels_2025";

-- water_levels.policy.drop.tenant_isolation_water_levels.rental.water_levels_now: Drop the policies of the migration
DROP POLICY "tenant_isolation_water_levels" ON "rental"."water_levels_now";

-- water_levels.policy.drop.tenant_isolation_water_levels: Drop the policies of the migration
DROP POLICY "tenant_isolation_water_levels" ON "rental"."water_levels";

-- skippers.policy.drop.tenant_isolation_skippers: Drop the policies of the migration
DROP POLICY "tenant_isolation_skippers" ON "rental"."skippers";

-- boats.forced: Restore the original row-level security
ALTER TABLE "rental"."boats" NO FORCE ROW LEVEL SECURITY;

-- berths.forced: Restore the original row-level security
ALTER TABLE "rental"."berths" NO FORCE ROW LEVEL SECURITY;

-- trips.forced: Restore the original row-level security
ALTER TABLE "rental"."trips" NO FORCE ROW LEVEL SECURITY;

-- water_levels.forced.rental.water_levels_2025_a: Restore the original row-level security
ALTER TABLE "rental"."water_levels_2025_a" NO FORCE ROW LEVEL SECURITY;

-- water_levels.forced.rental.water_levels_2025_others: Restore the original row-level security
ALTER TABLE "rental"."water_levels_2025_others" NO FORCE ROW LEVEL SECURITY;

-- water_levels.forced.rental.water_levels_2025: Restore the original row-level security
ALTER TABLE "rental"."water_levels_2025" NO FORCE ROW LEVEL SECURITY;

-- water_levels.forced.rental.water_levels_now: Restore the original row-level security
ALTER TABLE "rental"."water_levels_now" NO FORCE ROW LEVEL SECURITY;

-- water_levels.forced: Restore the original row-level security
ALTER TABLE "rental"."water_levels" NO FORCE ROW LEVEL SECURITY;

-- skippers.forced: Restore the original row-level security
ALTER TABLE "rental"."skippers" NO FORCE ROW LEVEL SECURITY;

-- boats.enabled: Restore the original row-level security
ALTER TABLE "rental"."boats" DISABLE ROW LEVEL SECURITY;

-- berths.enabled: Restore the original row-level security
ALTER TABLE "rental"."berths" DISABLE ROW LEVEL SECURITY;

-- trips.enabled: Restore the original row-level security
ALTER TABLE "rental"."trips" DISABLE ROW LEVEL SECURITY;

-- water_levels.enabled.rental.water_levels_2025_a: Restore the original row-level security
ALTER TABLE "rental"."water_levels_2025_a" DISABLE ROW LEVEL SECURITY;

-- water_levels.enabled.rental.water_levels_2025_others: Restore the original row-level security
ALTER TABLE "rental"."water_levels_2025_others" DISABLE ROW LEVEL SECURITY;

-- water_levels.enabled.rental.water_levels_2025: Restore the original row-level security
ALTER TABLE "rental"."water_levels_2025" DISABLE ROW LEVEL SECURITY;

-- water_levels.enabled.rental.water_levels_now: Restore the original row-level security
ALTER TABLE "rental"."water_levels_now" DISABLE ROW LEVEL SECURITY;

-- water_levels.enabled: Restore the original row-level security
ALTER TABLE "rental"."water_levels" DISABLE ROW LEVEL SECURITY;

-- skippers.enabled: Restore the original row-level security
ALTER TABLE "rental"."skippers" DISABLE ROW LEVEL SECURITY;

-- bridge.desk: Restore the original bridge
ALTER ROLE "desk" IN DATABASE "boat_rental_leaks" RESET "rental"."marina";

-- boats.bridge.drop.tenancy_bridge_boats_delete: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_boats_delete" ON "rental"."boats";

-- boats.bridge.drop.tenancy_bridge_boats_insert: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_boats_insert" ON "rental"."boats";

-- boats.bridge.drop.tenancy_bridge_boats_select: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_boats_select" ON "rental"."boats";

-- boats.bridge.drop.tenancy_bridge_boats_update: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_boats_update" ON "rental"."boats";

-- berths.bridge.drop.tenancy_bridge_berths_delete: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_berths_delete" ON "rental"."berths";

-- berths.bridge.drop.tenancy_bridge_berths_insert: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_berths_insert" ON "rental"."berths";

-- berths.bridge.drop.tenancy_bridge_berths_select: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_berths_select" ON "rental"."berths";

-- berths.bridge.drop.tenancy_bridge_berths_update: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_berths_update" ON "rental"."berths";

-- trips.bridge.drop.tenancy_bridge_trips_delete: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_trips_delete" ON "rental"."trips";

-- trips.bridge.drop.tenancy_bridge_trips_insert: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_trips_insert" ON "rental"."trips";

-- trips.bridge.drop.tenancy_bridge_trips_select: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_trips_select" ON "rental"."trips";

-- trips.bridge.drop.tenancy_bridge_trips_update: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_trips_update" ON "rental"."trips";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_delete: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_delete" ON "rental"."water_levels";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_insert: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_insert" ON "rental"."water_levels";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_select: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_select" ON "rental"."water_levels";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_update: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_update" ON "rental"."water_levels";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_delete.rental.water_levels_2025_a: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_delete" ON "rental"."water_levels_2025_a";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_insert.rental.water_levels_2025_a: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_insert" ON "rental"."water_levels_2025_a";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_select.rental.water_levels_2025_a: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_select" ON "rental"."water_levels_2025_a";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_update.rental.water_levels_2025_a: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_update" ON "rental"."water_levels_2025_a";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_delete.rental.water_levels_2025_others: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_delete" ON "rental"."water_levels_2025_others";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_insert.rental.water_levels_2025_others: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_insert" ON "rental"."water_levels_2025_others";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_select.rental.water_levels_2025_others: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_select" ON "rental"."water_levels_2025_others";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_update.rental.water_levels_2025_others: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_update" ON "rental"."water_levels_2025_others";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_delete.rental.water_levels_2025: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_delete" ON "rental"."water_levels_2025";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_insert.rental.water_levels_2025: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_insert" ON "rental"."water_levels_2025";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_select.rental.water_levels_2025: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_select" ON "rental"."water_levels_2025";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_update.rental.water_levels_2025: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_update" ON "rental"."water_levels_2025";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_delete.rental.water_levels_now: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_delete" ON "rental"."water_levels_now";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_insert.rental.water_levels_now: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_insert" ON "rental"."water_levels_now";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_select.rental.water_levels_now: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_select" ON "rental"."water_levels_now";

-- water_levels.bridge.drop.tenancy_bridge_water_levels_update.rental.water_levels_now: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_water_levels_update" ON "rental"."water_levels_now";

-- skippers.bridge.drop.tenancy_bridge_skippers_delete: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_skippers_delete" ON "rental"."skippers";

-- skippers.bridge.drop.tenancy_bridge_skippers_insert: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_skippers_insert" ON "rental"."skippers";

-- skippers.bridge.drop.tenancy_bridge_skippers_select: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_skippers_select" ON "rental"."skippers";

-- skippers.bridge.drop.tenancy_bridge_skippers_update: Stop recording the use of the bridge
DROP POLICY "tenancy_bridge_skippers_update" ON "rental"."skippers";

-- bridge.note.drop: Stop recording the use of the bridge
DROP FUNCTION "rental"."tenancy_bridge_note"(text);

-- bridge.used.drop.tenancy_bridge_used_berths_delete: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_berths_delete";

-- bridge.used.drop.tenancy_bridge_used_berths_insert: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_berths_insert";

-- bridge.used.drop.tenancy_bridge_used_berths_select: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_berths_select";

-- bridge.used.drop.tenancy_bridge_used_berths_update: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_berths_update";

-- bridge.used.drop.tenancy_bridge_used_boats_delete: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_boats_delete";

-- bridge.used.drop.tenancy_bridge_used_boats_insert: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_boats_insert";

-- bridge.used.drop.tenancy_bridge_used_boats_select: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_boats_select";

-- bridge.used.drop.tenancy_bridge_used_boats_update: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_boats_update";

-- bridge.used.drop.tenancy_bridge_used_skippers_delete: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_skippers_delete";

-- bridge.used.drop.tenancy_bridge_used_skippers_insert: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_skippers_insert";

-- bridge.used.drop.tenancy_bridge_used_skippers_select: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_skippers_select";

-- bridge.used.drop.tenancy_bridge_used_skippers_update: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_skippers_update";

-- bridge.used.drop.tenancy_bridge_used_trips_delete: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_trips_delete";

-- bridge.used.drop.tenancy_bridge_used_trips_insert: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_trips_insert";

-- bridge.used.drop.tenancy_bridge_used_trips_select: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_trips_select";

-- bridge.used.drop.tenancy_bridge_used_trips_update: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_trips_update";

-- bridge.used.drop.tenancy_bridge_used_water_levels_delete: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_water_levels_delete";

-- bridge.used.drop.tenancy_bridge_used_water_levels_insert: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_water_levels_insert";

-- bridge.used.drop.tenancy_bridge_used_water_levels_select: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_water_levels_select";

-- bridge.used.drop.tenancy_bridge_used_water_levels_update: Stop recording the use of the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used_water_levels_update";

-- function.count_trip(): Restore the original count_trip
CREATE OR REPLACE FUNCTION rental.count_trip()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO rental.skippers (skipper, trips) VALUES (NEW.skipper, 1)
  ON CONFLICT (skipper) DO UPDATE SET trips = skippers.trips + 1;
  RETURN NULL;
END
$function$;

-- boats_out.invoker.back: Restore the original privileges that views read with
ALTER VIEW "rental"."boats_out" RESET (security_invoker);

-- trips.foreign_key.drop.leaves from: Drop the foreign keys with the tenant column
ALTER TABLE "rental"."trips" DROP CONSTRAINT "leaves from";

-- trips.foreign_key.drop.trips_boat_id_fkey: Drop the foreign keys with the tenant column
ALTER TABLE "rental"."trips" DROP CONSTRAINT "trips_boat_id_fkey";

-- water_levels.foreign_key.drop.water_levels_pier_number_fkey: Drop the foreign keys with the tenant column
ALTER TABLE "rental"."water_levels" DROP CONSTRAINT "water_levels_pier_number_fkey";

-- boats.key.drop.boats_marina_id_key: Drop the keys and indexes per tenant
ALTER TABLE "rental"."boats" DROP CONSTRAINT "boats_marina_id_key";

-- boats.key.drop.boats_registration_key: Drop the keys and indexes per tenant
ALTER TABLE "rental"."boats" DROP CONSTRAINT "boats_registration_key";

-- berths.key.drop.Berth: Drop the keys and indexes per tenant
ALTER TABLE "rental"."berths" DROP CONSTRAINT "Berth";

-- trips.index.drop.idx_trips_marina_left_at: Drop the keys and indexes per tenant
DROP INDEX "rental"."idx_trips_marina_left_at";

-- water_levels.key.drop.Gauge: Drop the keys and indexes per tenant
ALTER TABLE "rental"."water_levels" DROP CONSTRAINT "Gauge";

-- water_levels.index.drop.idx_water_levels_marina_measured_at: Drop the keys and indexes per tenant
DROP INDEX "rental"."idx_water_levels_marina_measured_at";

-- skippers.key.drop.skippers_pkey: Drop the keys and indexes per tenant
ALTER TABLE "rental"."skippers" DROP CONSTRAINT "skippers_pkey";

-- boats.index.boats_registration_key: Restore the original keys and indexes
CREATE UNIQUE INDEX "boats_registration_key_original_key" ON rental.boats USING btree (registration);

-- berths.index.Berth: Restore the original keys and indexes
CREATE UNIQUE INDEX "Berth_original_key" ON rental.berths USING btree (pier, number);

-- skippers.index.skippers_pkey: Restore the original keys and indexes
CREATE UNIQUE INDEX "skippers_pkey_original_key" ON rental.skippers USING btree (skipper);

-- boats.key.boats_registration_key: Restore the original keys and indexes
ALTER TABLE "rental"."boats" ADD CONSTRAINT "boats_registration_key" UNIQUE USING INDEX "boats_registration_key_original_key";

-- berths.key.Berth: Restore the original keys and indexes
ALTER TABLE "rental"."berths" ADD CONSTRAINT "Berth" PRIMARY KEY USING INDEX "Berth_original_key";

-- water_levels.index.Gauge of pier A.rental.water_levels_2025_a: Restore the original keys and indexes
CREATE UNIQUE INDEX "Gauge of pier A" ON rental.water_levels_2025_a USING btree (pier, number, measured_at);

-- water_levels.key.Gauge of pier A.rental.water_levels_2025_a: Restore the original keys and indexes
ALTER TABLE "rental"."water_levels_2025_a" ADD CONSTRAINT "Gauge of pier A" PRIMARY KEY USING INDEX "Gauge of pier A";

-- water_levels.index.water_levels_2025_others_pkey.rental.water_levels_2025_others: Restore the original keys and indexes
CREATE UNIQUE INDEX water_levels_2025_others_pkey ON rental.water_levels_2025_others USING btree (pier, number, measured_at);

-- water_levels.key.water_levels_2025_others_pkey.rental.water_levels_2025_others: Restore the original keys and indexes
ALTER TABLE "rental"."water_levels_2025_others" ADD CONSTRAINT "water_levels_2025_others_pkey" PRIMARY KEY USING INDEX "water_levels_2025_others_pkey";

-- water_levels.key.water_levels_2025_pkey.rental.water_levels_2025: Restore the original keys and indexes
ALTER TABLE "rental"."water_levels_2025" ADD CONSTRAINT "water_levels_2025_pkey" PRIMARY KEY (pier, number, measured_at);

-- water_levels.index.water_levels_now_pkey.rental.water_levels_now: Restore the original keys and indexes
CREATE UNIQUE INDEX water_levels_now_pkey ON rental.water_levels_now USING btree (pier, number, measured_at);

-- water_levels.key.water_levels_now_pkey.rental.water_levels_now: Restore the original keys and indexes
ALTER TABLE "rental"."water_levels_now" ADD CONSTRAINT "water_levels_now_pkey" PRIMARY KEY USING INDEX "water_levels_now_pkey";

-- water_levels.key.Gauge: Restore the original keys and indexes
ALTER TABLE "rental"."water_levels" ADD CONSTRAINT "Gauge" PRIMARY KEY (pier, number, measured_at);

-- skippers.key.skippers_pkey: Restore the original keys and indexes
ALTER TABLE "rental"."skippers" ADD CONSTRAINT "skippers_pkey" PRIMARY KEY USING INDEX "skippers_pkey_original_key";

-- boats.column.drop: Drop marina; all rows remain
ALTER TABLE "rental"."boats" DROP COLUMN "marina";

-- berths.column.drop: Drop marina; all rows remain
ALTER TABLE "rental"."berths" DROP COLUMN "marina";

-- trips.column.drop: Drop marina; all rows remain
ALTER TABLE "rental"."trips" DROP COLUMN "marina";

-- water_levels.column.drop: Drop marina; all rows remain
ALTER TABLE "rental"."water_levels" DROP COLUMN "marina";

-- skippers.column.drop: Drop marina; all rows remain
ALTER TABLE "rental"."skippers" DROP COLUMN "marina";

-- trips.foreign_key.leaves from: Restore the original foreign keys
ALTER TABLE "rental"."trips" ADD CONSTRAINT "leaves from" FOREIGN KEY ("pier", "number") REFERENCES "rental"."berths" ("pier", "number") ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;

-- trips.foreign_key.trips_boat_id_fkey: Restore the original foreign keys
ALTER TABLE "rental"."trips" ADD CONSTRAINT "trips_boat_id_fkey" FOREIGN KEY ("boat_id") REFERENCES "rental"."boats" ("id") ON DELETE CASCADE;

-- water_levels.foreign_key.water_levels_pier_number_fkey: Restore the original foreign keys
ALTER TABLE "rental"."water_levels" ADD CONSTRAINT "water_levels_pier_number_fkey" FOREIGN KEY ("pier", "number") REFERENCES "rental"."berths" ("pier", "number") ON UPDATE CASCADE ON DELETE CASCADE;

-- boats.grant: Grant the revoked privileges again
GRANT TRUNCATE ON "rental"."boats" TO "desk";

-- berths.grant: Grant the revoked privileges again
GRANT TRUNCATE ON "rental"."berths" TO "desk";

-- trips.grant: Grant the revoked privileges again
GRANT TRUNCATE ON "rental"."trips" TO "desk";

-- water_levels.grant.rental.water_levels_2025_a: Grant the revoked privileges again
GRANT TRUNCATE ON "rental"."water_levels_2025_a" TO "desk";

-- water_levels.grant.rental.water_levels_2025_others: Grant the revoked privileges again
GRANT TRUNCATE ON "rental"."water_levels_2025_others" TO "desk";

-- water_levels.grant.rental.water_levels_2025: Grant the revoked privileges again
GRANT TRUNCATE ON "rental"."water_levels_2025" TO "desk";

-- water_levels.grant.rental.water_levels_now: Grant the revoked privileges again
GRANT TRUNCATE ON "rental"."water_levels_now" TO "desk";

-- water_levels.grant: Grant the revoked privileges again
GRANT TRUNCATE ON "rental"."water_levels" TO "desk";

-- skippers.grant: Grant the revoked privileges again
GRANT TRUNCATE ON "rental"."skippers" TO "desk";

-- trips.comment.CONSTRAINT "leaves from" ON "rental"."trips": Restore the original comments
COMMENT ON CONSTRAINT "leaves from" ON "rental"."trips" IS 'a berth that goes leaves the trip''s past';

-- water_levels.comment.CONSTRAINT "Gauge of pier A" ON "rental"."water_levels_2025_a".rental.water_levels_2025_a: Restore the original comments
COMMENT ON CONSTRAINT "Gauge of pier A" ON "rental"."water_levels_2025_a" IS 'the oldest gauge';
