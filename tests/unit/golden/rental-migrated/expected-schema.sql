-- boats.policy.drop.tenant_isolation_boats: Drop the policies of the migration
DROP POLICY "tenant_isolation_boats" ON "rental"."boats";

-- berths.policy.drop.tenant_isolation_berths: Drop the policies of the migration
DROP POLICY "tenant_isolation_berths" ON "rental"."berths";

-- trips.policy.drop.tenant_isolation_trips: Drop the policies of the migration
DROP POLICY "tenant_isolation_trips" ON "rental"."trips";

-- skippers.policy.drop.tenant_isolation_skippers: Drop the policies of the migration
DROP POLICY "tenant_isolation_skippers" ON "rental"."skippers";

-- boats.forced: Bring row-level security back to what it was
ALTER TABLE "rental"."boats" NO FORCE ROW LEVEL SECURITY;

-- berths.forced: Bring row-level security back to what it was
ALTER TABLE "rental"."berths" NO FORCE ROW LEVEL SECURITY;

-- trips.forced: Bring row-level security back to what it was
ALTER TABLE "rental"."trips" NO FORCE ROW LEVEL SECURITY;

-- skippers.forced: Bring row-level security back to what it was
ALTER TABLE "rental"."skippers" NO FORCE ROW LEVEL SECURITY;

-- boats.enabled: Bring row-level security back to what it was
ALTER TABLE "rental"."boats" DISABLE ROW LEVEL SECURITY;

-- berths.enabled: Bring row-level security back to what it was
ALTER TABLE "rental"."berths" DISABLE ROW LEVEL SECURITY;

-- trips.enabled: Bring row-level security back to what it was
ALTER TABLE "rental"."trips" DISABLE ROW LEVEL SECURITY;

-- skippers.enabled: Bring row-level security back to what it was
ALTER TABLE "rental"."skippers" DISABLE ROW LEVEL SECURITY;

-- bridge.desk: Bring the bridge back to what it was
ALTER ROLE "desk" IN DATABASE "boat_rental_leaks" RESET "rental"."marina";

-- boats.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_boats" ON "rental"."boats";

-- berths.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_berths" ON "rental"."berths";

-- trips.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_trips" ON "rental"."trips";

-- skippers.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_skippers" ON "rental"."skippers";

-- bridge.note.drop: Stop recording who needs the bridge
DROP FUNCTION "rental"."tenancy_bridge_note"();

-- bridge.used.drop: Stop recording who needs the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used";

-- function.count_trip(): Bring count_trip back to what it was
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

-- boats_out.invoker.back: Bring the rights that views work with back to what they were
ALTER VIEW "rental"."boats_out" RESET (security_invoker);

-- trips.foreign_key.drop.leaves from: Drop the foreign keys that name the tenant
ALTER TABLE "rental"."trips" DROP CONSTRAINT "leaves from";

-- trips.foreign_key.drop.trips_boat_id_fkey: Drop the foreign keys that name the tenant
ALTER TABLE "rental"."trips" DROP CONSTRAINT "trips_boat_id_fkey";

-- boats.key.drop.boats_marina_id_key: Drop the keys and indexes per tenant
ALTER TABLE "rental"."boats" DROP CONSTRAINT "boats_marina_id_key";

-- boats.key.drop.boats_marina_registration_key: Drop the keys and indexes per tenant
ALTER TABLE "rental"."boats" DROP CONSTRAINT "boats_marina_registration_key";

-- berths.key.drop.Berth: Drop the keys and indexes per tenant
ALTER TABLE "rental"."berths" DROP CONSTRAINT "Berth";

-- trips.index.drop.idx_trips_marina_left_at: Drop the keys and indexes per tenant
DROP INDEX "rental"."idx_trips_marina_left_at";

-- skippers.key.drop.skippers_pkey: Drop the keys and indexes per tenant
ALTER TABLE "rental"."skippers" DROP CONSTRAINT "skippers_pkey";

-- boats.index.boats_registration_key: Bring the keys and indexes of before back
CREATE UNIQUE INDEX boats_registration_key ON rental.boats USING btree (registration);

-- berths.index.Berth: Bring the keys and indexes of before back
CREATE UNIQUE INDEX "Berth" ON rental.berths USING btree (pier, number);

-- skippers.index.skippers_pkey: Bring the keys and indexes of before back
CREATE UNIQUE INDEX skippers_pkey ON rental.skippers USING btree (skipper);

-- boats.key.boats_registration_key: Bring the keys and indexes of before back
ALTER TABLE "rental"."boats" ADD CONSTRAINT "boats_registration_key" UNIQUE USING INDEX "boats_registration_key";

-- berths.key.Berth: Bring the keys and indexes of before back
ALTER TABLE "rental"."berths" ADD CONSTRAINT "Berth" PRIMARY KEY USING INDEX "Berth";

-- skippers.key.skippers_pkey: Bring the keys and indexes of before back
ALTER TABLE "rental"."skippers" ADD CONSTRAINT "skippers_pkey" PRIMARY KEY USING INDEX "skippers_pkey";

-- boats.column.drop: Drop marina; every row stays
ALTER TABLE "rental"."boats" DROP COLUMN "marina";

-- berths.column.drop: Drop marina; every row stays
ALTER TABLE "rental"."berths" DROP COLUMN "marina";

-- trips.column.drop: Drop marina; every row stays
ALTER TABLE "rental"."trips" DROP COLUMN "marina";

-- skippers.column.drop: Drop marina; every row stays
ALTER TABLE "rental"."skippers" DROP COLUMN "marina";

-- trips.foreign_key.leaves from: Bring the foreign keys back
ALTER TABLE "rental"."trips" ADD CONSTRAINT "leaves from" FOREIGN KEY ("pier", "number") REFERENCES "rental"."berths" ("pier", "number") ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;

-- trips.foreign_key.trips_boat_id_fkey: Bring the foreign keys back
ALTER TABLE "rental"."trips" ADD CONSTRAINT "trips_boat_id_fkey" FOREIGN KEY ("boat_id") REFERENCES "rental"."boats" ("id") ON DELETE CASCADE;

-- boats.grant: Grant back what was revoked
GRANT REFERENCES, TRUNCATE ON "rental"."boats" TO "desk";

-- berths.grant: Grant back what was revoked
GRANT REFERENCES, TRUNCATE ON "rental"."berths" TO "desk";

-- trips.grant: Grant back what was revoked
GRANT REFERENCES, TRUNCATE ON "rental"."trips" TO "desk";

-- skippers.grant: Grant back what was revoked
GRANT REFERENCES, TRUNCATE ON "rental"."skippers" TO "desk";

-- trips.comment.CONSTRAINT "leaves from" ON "rental"."trips": Bring the comments of before back
COMMENT ON CONSTRAINT "leaves from" ON "rental"."trips" IS 'a berth that goes leaves the trip''s past';
