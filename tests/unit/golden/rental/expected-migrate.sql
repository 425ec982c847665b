-- boats.column: Add marina; existing rows belong to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 (no table rewrite)
ALTER TABLE "rental"."boats" ADD COLUMN "marina" uuid NOT NULL DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- berths.column: Add marina; existing rows belong to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 (no table rewrite)
ALTER TABLE "rental"."berths" ADD COLUMN "marina" uuid NOT NULL DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- trips.column: Add marina; existing rows belong to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 (no table rewrite)
ALTER TABLE "rental"."trips" ADD COLUMN "marina" uuid NOT NULL DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- water_levels.column: Add marina; existing rows belong to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 (no table rewrite)
ALTER TABLE "rental"."water_levels" ADD COLUMN "marina" uuid NOT NULL DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- skippers.column: Add marina; existing rows belong to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 (no table rewrite)
ALTER TABLE "rental"."skippers" ADD COLUMN "marina" uuid NOT NULL DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- boats.key.boats_registration_key.build: Build the key boats_registration_key with marina
CREATE UNIQUE INDEX "boats_registration_key_tenant_key" ON "rental"."boats" ("marina", "registration");

-- boats.key.id.build: Build the key (marina, id)
CREATE UNIQUE INDEX "boats_marina_id_tenant_key" ON "rental"."boats" ("marina", "id");

-- berths.key.Berth.build: Build the key Berth with marina
CREATE UNIQUE INDEX "Berth_tenant_key" ON "rental"."berths" ("marina", "pier", "number");

-- trips.index.left_at: Support the service's queries within one tenant
CREATE INDEX "idx_trips_marina_left_at" ON "rental"."trips" ("marina", "left_at" DESC);

-- water_levels.index.measured_at.rental.water_levels_2025_a: Support the service's queries within one tenant
CREATE INDEX "idx_water_levels_2025_a_marina_measured_at" ON "rental"."water_levels_2025_a" ("marina", "measured_at" DESC);

-- water_levels.index.measured_at.rental.water_levels_2025_others: Support the service's queries within one tenant
CREATE INDEX "idx_water_levels_2025_others_marina_measured_at" ON "rental"."water_levels_2025_others" ("marina", "measured_at" DESC);

-- water_levels.index.measured_at.rental.water_levels_now: Support the service's queries within one tenant
CREATE INDEX "idx_water_levels_now_marina_measured_at" ON "rental"."water_levels_now" ("marina", "measured_at" DESC);

-- water_levels.index.measured_at: Support the service's queries within one tenant
CREATE INDEX "idx_water_levels_marina_measured_at" ON "rental"."water_levels" ("marina", "measured_at" DESC);

-- water_levels.key.Gauge.build.rental.water_levels_2025_a: Build the key Gauge of pier A with marina
CREATE UNIQUE INDEX "Gauge of pier A_tenant_key" ON "rental"."water_levels_2025_a" ("marina", "pier", "number", "measured_at");

-- water_levels.key.Gauge.build.rental.water_levels_2025_others: Build the key water_levels_2025_others_pkey with marina
CREATE UNIQUE INDEX "water_levels_2025_others_pkey_tenant_key" ON "rental"."water_levels_2025_others" ("marina", "pier", "number", "measured_at");

-- water_levels.key.Gauge.build.rental.water_levels_now: Build the key water_levels_now_pkey with marina
CREATE UNIQUE INDEX "water_levels_now_pkey_tenant_key" ON "rental"."water_levels_now" ("marina", "pier", "number", "measured_at");

-- skippers.key.skippers_pkey.build: Build the key skippers_pkey with marina
CREATE UNIQUE INDEX "skippers_pkey_tenant_key" ON "rental"."skippers" ("marina", "skipper");

-- trips.foreign_key.boat_id.drop: Add the tenant column to foreign keys, so that no row references another tenant's row
ALTER TABLE "rental"."trips" DROP CONSTRAINT "trips_boat_id_fkey";

-- trips.foreign_key.pier_number.drop: Add the tenant column to foreign keys, so that no row references another tenant's row
ALTER TABLE "rental"."trips" DROP CONSTRAINT "leaves from";

-- water_levels.foreign_key.pier_number.drop: Add the tenant column to foreign keys, so that no row references another tenant's row
ALTER TABLE "rental"."water_levels" DROP CONSTRAINT "water_levels_pier_number_fkey";

-- boats.key.boats_registration_key: Make (registration) unique per tenant instead of globally
ALTER TABLE "rental"."boats" DROP CONSTRAINT "boats_registration_key", ADD CONSTRAINT "boats_registration_key" UNIQUE USING INDEX "boats_registration_key_tenant_key";

-- boats.key.id: Let foreign keys reference (id) together with the tenant
ALTER TABLE "rental"."boats" ADD CONSTRAINT "boats_marina_id_key" UNIQUE USING INDEX "boats_marina_id_tenant_key";

-- berths.key.Berth: Make (pier, number) unique per tenant instead of globally
ALTER TABLE "rental"."berths" DROP CONSTRAINT "Berth", ADD CONSTRAINT "Berth" PRIMARY KEY USING INDEX "Berth_tenant_key";

-- water_levels.key.Gauge.drop: Make (pier, number, measured_at) unique per tenant instead of globally
ALTER TABLE "rental"."water_levels" DROP CONSTRAINT "Gauge";

-- water_levels.key.Gauge.rental.water_levels_2025_a: Make (pier, number, measured_at) unique per tenant instead of globally
ALTER TABLE "rental"."water_levels_2025_a" ADD CONSTRAINT "Gauge of pier A" PRIMARY KEY USING INDEX "Gauge of pier A_tenant_key";

-- water_levels.key.Gauge.CONSTRAINT "Gauge of pier A" ON "rental"."water_levels_2025_a".rental.water_levels_2025_a: Keep the comments and marks of the key
COMMENT ON CONSTRAINT "Gauge of pier A" ON "rental"."water_levels_2025_a" IS 'the oldest gauge';

-- water_levels.key.Gauge.rental.water_levels_2025_others: Make (pier, number, measured_at) unique per tenant instead of globally
ALTER TABLE "rental"."water_levels_2025_others" ADD CONSTRAINT "water_levels_2025_others_pkey" PRIMARY KEY USING INDEX "water_levels_2025_others_pkey_tenant_key";

-- water_levels.key.Gauge.rental.water_levels_2025: Make (pier, number, measured_at) unique per tenant instead of globally
ALTER TABLE "rental"."water_levels_2025" ADD CONSTRAINT "water_levels_2025_pkey" PRIMARY KEY ("marina", "pier", "number", "measured_at");

-- water_levels.key.Gauge.rental.water_levels_now: Make (pier, number, measured_at) unique per tenant instead of globally
ALTER TABLE "rental"."water_levels_now" ADD CONSTRAINT "water_levels_now_pkey" PRIMARY KEY USING INDEX "water_levels_now_pkey_tenant_key";

-- water_levels.key.Gauge: Make (pier, number, measured_at) unique per tenant instead of globally
ALTER TABLE "rental"."water_levels" ADD CONSTRAINT "Gauge" PRIMARY KEY ("marina", "pier", "number", "measured_at");

-- skippers.key.skippers_pkey: Make (skipper) unique per tenant instead of globally
ALTER TABLE "rental"."skippers" DROP CONSTRAINT "skippers_pkey", ADD CONSTRAINT "skippers_pkey" PRIMARY KEY USING INDEX "skippers_pkey_tenant_key";

-- trips.foreign_key.boat_id: Add the tenant column to foreign keys, so that no row references another tenant's row
ALTER TABLE "rental"."trips" ADD CONSTRAINT "trips_boat_id_fkey" FOREIGN KEY ("marina", "boat_id") REFERENCES "rental"."boats" ("marina", "id") ON DELETE CASCADE;

-- trips.foreign_key.pier_number: Add the tenant column to foreign keys, so that no row references another tenant's row
ALTER TABLE "rental"."trips" ADD CONSTRAINT "leaves from" FOREIGN KEY ("marina", "pier", "number") REFERENCES "rental"."berths" ("marina", "pier", "number") ON UPDATE CASCADE ON DELETE SET NULL ("pier", "number") DEFERRABLE INITIALLY DEFERRED;

-- trips.foreign_key.pier_number.comment: Add the tenant column to foreign keys, so that no row references another tenant's row
COMMENT ON CONSTRAINT "leaves from" ON "rental"."trips" IS 'a berth that goes leaves the trip''s past';

-- water_levels.foreign_key.pier_number: Add the tenant column to foreign keys, so that no row references another tenant's row
ALTER TABLE "rental"."water_levels" ADD CONSTRAINT "water_levels_pier_number_fkey" FOREIGN KEY ("marina", "pier", "number") REFERENCES "rental"."berths" ("marina", "pier", "number") ON UPDATE CASCADE ON DELETE CASCADE;

-- function.count_trip(): Make count_trip work within one tenant
CREATE OR REPLACE FUNCTION rental.count_trip()
 RETURNS trigger
 LANGUAGE plpgsql
AS $tenancy$
BEGIN
  INSERT INTO "rental".skippers (marina, skipper, trips) VALUES (NEW.marina, NEW.skipper, 1)
  ON CONFLICT (marina, skipper) DO UPDATE SET trips = skippers.trips + 1;
  RETURN NULL;
END
$tenancy$;

-- boats_out.invoker: Let views read with the privileges and the tenant of the calling role
ALTER VIEW "rental"."boats_out" SET (security_invoker = true);

-- boats.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "rental"."boats" FROM "desk";

-- berths.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "rental"."berths" FROM "desk";

-- trips.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "rental"."trips" FROM "desk";

-- water_levels.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "rental"."water_levels" FROM "desk";

-- water_levels.revoke.rental.water_levels_2025_a: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "rental"."water_levels_2025_a" FROM "desk";

-- water_levels.revoke.rental.water_levels_2025_others: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "rental"."water_levels_2025_others" FROM "desk";

-- water_levels.revoke.rental.water_levels_2025: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "rental"."water_levels_2025" FROM "desk";

-- water_levels.revoke.rental.water_levels_now: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "rental"."water_levels_now" FROM "desk";

-- skippers.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "rental"."skippers" FROM "desk";

-- boats.bridge.used.select: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_boats_select";

-- boats.bridge.used.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_boats_insert";

-- boats.bridge.used.update: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_boats_update";

-- boats.bridge.used.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_boats_delete";

-- boats.bridge.used.grant: Record when a session still needs the bridge, and for which kind of statement
GRANT UPDATE ON SEQUENCE "rental"."tenancy_bridge_used_boats_select", "rental"."tenancy_bridge_used_boats_insert", "rental"."tenancy_bridge_used_boats_update", "rental"."tenancy_bridge_used_boats_delete" TO "desk";

-- berths.bridge.used.select: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_berths_select";

-- berths.bridge.used.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_berths_insert";

-- berths.bridge.used.update: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_berths_update";

-- berths.bridge.used.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_berths_delete";

-- berths.bridge.used.grant: Record when a session still needs the bridge, and for which kind of statement
GRANT UPDATE ON SEQUENCE "rental"."tenancy_bridge_used_berths_select", "rental"."tenancy_bridge_used_berths_insert", "rental"."tenancy_bridge_used_berths_update", "rental"."tenancy_bridge_used_berths_delete" TO "desk";

-- trips.bridge.used.select: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_trips_select";

-- trips.bridge.used.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_trips_insert";

-- trips.bridge.used.update: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_trips_update";

-- trips.bridge.used.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_trips_delete";

-- trips.bridge.used.grant: Record when a session still needs the bridge, and for which kind of statement
GRANT UPDATE ON SEQUENCE "rental"."tenancy_bridge_used_trips_select", "rental"."tenancy_bridge_used_trips_insert", "rental"."tenancy_bridge_used_trips_update", "rental"."tenancy_bridge_used_trips_delete" TO "desk";

-- water_levels.bridge.used.select: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_water_levels_select";

-- water_levels.bridge.used.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_water_levels_insert";

-- water_levels.bridge.used.update: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_water_levels_update";

-- water_levels.bridge.used.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_water_levels_delete";

-- water_levels.bridge.used.grant: Record when a session still needs the bridge, and for which kind of statement
GRANT UPDATE ON SEQUENCE "rental"."tenancy_bridge_used_water_levels_select", "rental"."tenancy_bridge_used_water_levels_insert", "rental"."tenancy_bridge_used_water_levels_update", "rental"."tenancy_bridge_used_water_levels_delete" TO "desk";

-- skippers.bridge.used.select: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_skippers_select";

-- skippers.bridge.used.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_skippers_insert";

-- skippers.bridge.used.update: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_skippers_update";

-- skippers.bridge.used.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE SEQUENCE "rental"."tenancy_bridge_used_skippers_delete";

-- skippers.bridge.used.grant: Record when a session still needs the bridge, and for which kind of statement
GRANT UPDATE ON SEQUENCE "rental"."tenancy_bridge_used_skippers_select", "rental"."tenancy_bridge_used_skippers_insert", "rental"."tenancy_bridge_used_skippers_update", "rental"."tenancy_bridge_used_skippers_delete" TO "desk";

-- bridge.note: Record when a session still needs the bridge, and for which kind of statement
CREATE OR REPLACE FUNCTION "rental"."tenancy_bridge_note"(used text) RETURNS boolean LANGUAGE plpgsql AS $tenancy$
DECLARE
  now_is bigint;
  noted text;
BEGIN
  IF current_setting('rental.marina', true) = '{9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683}'
    AND NOT current_setting('transaction_read_only')::boolean
  THEN
    BEGIN
      now_is := extract(epoch FROM clock_timestamp());
      noted := 'tenancy_runbook.noted_' || to_hex(hashtext(used));
      IF now_is - coalesce(nullif(current_setting(noted, true), ''), '0')::bigint >= 10 THEN
        PERFORM setval('"rental".' || quote_ident(used), now_is),
                set_config(noted, now_is::text, false);
      END IF;
    EXCEPTION WHEN OTHERS THEN
      -- A record that is broken must not break the service; enforcing tries it before it is believed.
      NULL;
    END;
  END IF;
  RETURN true;
END
$tenancy$;

-- bridge.note.grant: Record when a session still needs the bridge, and for which kind of statement
GRANT EXECUTE ON FUNCTION "rental"."tenancy_bridge_note"(text) TO "desk";

-- boats.bridge.select: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_boats_select" ON "rental"."boats" AS RESTRICTIVE FOR SELECT TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_boats_select')));

-- boats.bridge.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_boats_insert" ON "rental"."boats" AS RESTRICTIVE FOR INSERT TO "desk" WITH CHECK ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_boats_insert')));

-- boats.bridge.update: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_boats_update" ON "rental"."boats" AS RESTRICTIVE FOR UPDATE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_boats_update')));

-- boats.bridge.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_boats_delete" ON "rental"."boats" AS RESTRICTIVE FOR DELETE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_boats_delete')));

-- berths.bridge.select: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_berths_select" ON "rental"."berths" AS RESTRICTIVE FOR SELECT TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_berths_select')));

-- berths.bridge.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_berths_insert" ON "rental"."berths" AS RESTRICTIVE FOR INSERT TO "desk" WITH CHECK ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_berths_insert')));

-- berths.bridge.update: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_berths_update" ON "rental"."berths" AS RESTRICTIVE FOR UPDATE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_berths_update')));

-- berths.bridge.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_berths_delete" ON "rental"."berths" AS RESTRICTIVE FOR DELETE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_berths_delete')));

-- trips.bridge.select: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_trips_select" ON "rental"."trips" AS RESTRICTIVE FOR SELECT TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_trips_select')));

-- trips.bridge.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_trips_insert" ON "rental"."trips" AS RESTRICTIVE FOR INSERT TO "desk" WITH CHECK ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_trips_insert')));

-- trips.bridge.update: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_trips_update" ON "rental"."trips" AS RESTRICTIVE FOR UPDATE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_trips_update')));

-- trips.bridge.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_trips_delete" ON "rental"."trips" AS RESTRICTIVE FOR DELETE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_trips_delete')));

-- water_levels.bridge.select: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_select" ON "rental"."water_levels" AS RESTRICTIVE FOR SELECT TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_select')));

-- water_levels.bridge.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_insert" ON "rental"."water_levels" AS RESTRICTIVE FOR INSERT TO "desk" WITH CHECK ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_insert')));

-- water_levels.bridge.update: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_update" ON "rental"."water_levels" AS RESTRICTIVE FOR UPDATE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_update')));

-- water_levels.bridge.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_delete" ON "rental"."water_levels" AS RESTRICTIVE FOR DELETE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_delete')));

-- water_levels.bridge.select.rental.water_levels_2025_a: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_select" ON "rental"."water_levels_2025_a" AS RESTRICTIVE FOR SELECT TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_select')));

-- water_levels.bridge.insert.rental.water_levels_2025_a: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_insert" ON "rental"."water_levels_2025_a" AS RESTRICTIVE FOR INSERT TO "desk" WITH CHECK ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_insert')));

-- water_levels.bridge.update.rental.water_levels_2025_a: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_update" ON "rental"."water_levels_2025_a" AS RESTRICTIVE FOR UPDATE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_update')));

-- water_levels.bridge.delete.rental.water_levels_2025_a: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_delete" ON "rental"."water_levels_2025_a" AS RESTRICTIVE FOR DELETE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_delete')));

-- water_levels.bridge.select.rental.water_levels_2025_others: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_select" ON "rental"."water_levels_2025_others" AS RESTRICTIVE FOR SELECT TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_select')));

-- water_levels.bridge.insert.rental.water_levels_2025_others: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_insert" ON "rental"."water_levels_2025_others" AS RESTRICTIVE FOR INSERT TO "desk" WITH CHECK ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_insert')));

-- water_levels.bridge.update.rental.water_levels_2025_others: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_update" ON "rental"."water_levels_2025_others" AS RESTRICTIVE FOR UPDATE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_update')));

-- water_levels.bridge.delete.rental.water_levels_2025_others: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_delete" ON "rental"."water_levels_2025_others" AS RESTRICTIVE FOR DELETE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_delete')));

-- water_levels.bridge.select.rental.water_levels_2025: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_select" ON "rental"."water_levels_2025" AS RESTRICTIVE FOR SELECT TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_select')));

-- water_levels.bridge.insert.rental.water_levels_2025: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_insert" ON "rental"."water_levels_2025" AS RESTRICTIVE FOR INSERT TO "desk" WITH CHECK ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_insert')));

-- water_levels.bridge.update.rental.water_levels_2025: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_update" ON "rental"."water_levels_2025" AS RESTRICTIVE FOR UPDATE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_update')));

-- water_levels.bridge.delete.rental.water_levels_2025: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_delete" ON "rental"."water_levels_2025" AS RESTRICTIVE FOR DELETE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_delete')));

-- water_levels.bridge.select.rental.water_levels_now: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_select" ON "rental"."water_levels_now" AS RESTRICTIVE FOR SELECT TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_select')));

-- water_levels.bridge.insert.rental.water_levels_now: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_insert" ON "rental"."water_levels_now" AS RESTRICTIVE FOR INSERT TO "desk" WITH CHECK ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_insert')));

-- water_levels.bridge.update.rental.water_levels_now: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_update" ON "rental"."water_levels_now" AS RESTRICTIVE FOR UPDATE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_update')));

-- water_levels.bridge.delete.rental.water_levels_now: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_water_levels_delete" ON "rental"."water_levels_now" AS RESTRICTIVE FOR DELETE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_water_levels_delete')));

-- skippers.bridge.select: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_skippers_select" ON "rental"."skippers" AS RESTRICTIVE FOR SELECT TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_skippers_select')));

-- skippers.bridge.insert: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_skippers_insert" ON "rental"."skippers" AS RESTRICTIVE FOR INSERT TO "desk" WITH CHECK ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_skippers_insert')));

-- skippers.bridge.update: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_skippers_update" ON "rental"."skippers" AS RESTRICTIVE FOR UPDATE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_skippers_update')));

-- skippers.bridge.delete: Record when a session still needs the bridge, and for which kind of statement
CREATE POLICY "tenancy_bridge_skippers_delete" ON "rental"."skippers" AS RESTRICTIVE FOR DELETE TO "desk" USING ("marina" IS NOT NULL AND (SELECT "rental"."tenancy_bridge_note"('tenancy_bridge_used_skippers_delete')));

-- bridge: Let sessions that set no tenant work as tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683
ALTER ROLE "desk" IN DATABASE "boat_rental_leaks" SET "rental"."marina" = '{9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683}';

-- boats.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "rental"."boats" ALTER COLUMN "marina" SET DEFAULT nullif(current_setting('rental.marina', true), '')::uuid;

-- berths.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "rental"."berths" ALTER COLUMN "marina" SET DEFAULT nullif(current_setting('rental.marina', true), '')::uuid;

-- trips.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "rental"."trips" ALTER COLUMN "marina" SET DEFAULT nullif(current_setting('rental.marina', true), '')::uuid;

-- water_levels.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "rental"."water_levels" ALTER COLUMN "marina" SET DEFAULT nullif(current_setting('rental.marina', true), '')::uuid;

-- skippers.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "rental"."skippers" ALTER COLUMN "marina" SET DEFAULT nullif(current_setting('rental.marina', true), '')::uuid;

-- boats.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_boats" ON "rental"."boats" FOR ALL TO "desk" USING ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid)) WITH CHECK ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid));

-- berths.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_berths" ON "rental"."berths" FOR ALL TO "desk" USING ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid)) WITH CHECK ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid));

-- trips.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_trips" ON "rental"."trips" FOR ALL TO "desk" USING ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid)) WITH CHECK ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid));

-- water_levels.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_water_levels" ON "rental"."water_levels" FOR ALL TO "desk" USING ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid)) WITH CHECK ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid));

-- water_levels.policy.rental.water_levels_2025_a: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_water_levels" ON "rental"."water_levels_2025_a" FOR ALL TO "desk" USING ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid)) WITH CHECK ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid));

-- water_levels.policy.rental.water_levels_2025_others: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_water_levels" ON "rental"."water_levels_2025_others" FOR ALL TO "desk" USING ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid)) WITH CHECK ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid));

-- water_levels.policy.rental.water_levels_2025: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_water_levels" ON "rental"."water_levels_2025" FOR ALL TO "desk" USING ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid)) WITH CHECK ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid));

-- water_levels.policy.rental.water_levels_now: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_water_levels" ON "rental"."water_levels_now" FOR ALL TO "desk" USING ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid)) WITH CHECK ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid));

-- skippers.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_skippers" ON "rental"."skippers" FOR ALL TO "desk" USING ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid)) WITH CHECK ("marina" = (SELECT nullif(current_setting('rental.marina', true), '')::uuid));

-- boats.enable: Enable row-level security
ALTER TABLE "rental"."boats" ENABLE ROW LEVEL SECURITY;

-- berths.enable: Enable row-level security
ALTER TABLE "rental"."berths" ENABLE ROW LEVEL SECURITY;

-- trips.enable: Enable row-level security
ALTER TABLE "rental"."trips" ENABLE ROW LEVEL SECURITY;

-- water_levels.enable: Enable row-level security
ALTER TABLE "rental"."water_levels" ENABLE ROW LEVEL SECURITY;

-- water_levels.enable.rental.water_levels_2025_a: Enable row-level security
ALTER TABLE "rental"."water_levels_2025_a" ENABLE ROW LEVEL SECURITY;

-- water_levels.enable.rental.water_levels_2025_others: Enable row-level security
ALTER TABLE "rental"."water_levels_2025_others" ENABLE ROW LEVEL SECURITY;

-- water_levels.enable.rental.water_levels_2025: Enable row-level security
ALTER TABLE "rental"."water_levels_2025" ENABLE ROW LEVEL SECURITY;

-- water_levels.enable.rental.water_levels_now: Enable row-level security
ALTER TABLE "rental"."water_levels_now" ENABLE ROW LEVEL SECURITY;

-- skippers.enable: Enable row-level security
ALTER TABLE "rental"."skippers" ENABLE ROW LEVEL SECURITY;

-- boats.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "rental"."boats" FORCE ROW LEVEL SECURITY;

-- berths.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "rental"."berths" FORCE ROW LEVEL SECURITY;

-- trips.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "rental"."trips" FORCE ROW LEVEL SECURITY;

-- water_levels.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "rental"."water_levels" FORCE ROW LEVEL SECURITY;

-- water_levels.force.rental.water_levels_2025_a: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "rental"."water_levels_2025_a" FORCE ROW LEVEL SECURITY;

-- water_levels.force.rental.water_levels_2025_others: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "rental"."water_levels_2025_others" FORCE ROW LEVEL SECURITY;

-- water_levels.force.rental.water_levels_2025: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "rental"."water_levels_2025" FORCE ROW LEVEL SECURITY;

-- water_levels.force.rental.water_levels_now: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "rental"."water_levels_now" FORCE ROW LEVEL SECURITY;

-- skippers.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "rental"."skippers" FORCE ROW LEVEL SECURITY;
