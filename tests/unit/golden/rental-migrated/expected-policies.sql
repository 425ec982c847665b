-- boats.default.constant: Assign rows without a tenant to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 again
ALTER TABLE "rental"."boats" ALTER COLUMN "marina" SET DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- berths.default.constant: Assign rows without a tenant to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 again
ALTER TABLE "rental"."berths" ALTER COLUMN "marina" SET DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- trips.default.constant: Assign rows without a tenant to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 again
ALTER TABLE "rental"."trips" ALTER COLUMN "marina" SET DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- water_levels.default.constant: Assign rows without a tenant to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 again
ALTER TABLE ONLY "rental"."water_levels" ALTER COLUMN "marina" SET DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- water_levels.default.constant.rental.water_levels_2025_a: Assign rows without a tenant to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 again
ALTER TABLE "rental"."water_levels_2025_a" ALTER COLUMN "marina" SET DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- water_levels.default.constant.rental.water_levels_2025_others: Assign rows without a tenant to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 again
ALTER TABLE "rental"."water_levels_2025_others" ALTER COLUMN "marina" SET DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- water_levels.default.constant.rental.water_levels_2025: Assign rows without a tenant to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 again
ALTER TABLE ONLY "rental"."water_levels_2025" ALTER COLUMN "marina" SET DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- water_levels.default.constant.rental.water_levels_now: Assign rows without a tenant to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 again
ALTER TABLE "rental"."water_levels_now" ALTER COLUMN "marina" SET DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- skippers.default.constant: Assign rows without a tenant to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 again
ALTER TABLE "rental"."skippers" ALTER COLUMN "marina" SET DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- boats.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "rental"."boats" NO FORCE ROW LEVEL SECURITY;

-- berths.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "rental"."berths" NO FORCE ROW LEVEL SECURITY;

-- trips.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "rental"."trips" NO FORCE ROW LEVEL SECURITY;

-- water_levels.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "rental"."water_levels" NO FORCE ROW LEVEL SECURITY;

-- water_levels.no_force.rental.water_levels_2025_a: Exempt the owner of the table from row-level security again
ALTER TABLE "rental"."water_levels_2025_a" NO FORCE ROW LEVEL SECURITY;

-- water_levels.no_force.rental.water_levels_2025_others: Exempt the owner of the table from row-level security again
ALTER TABLE "rental"."water_levels_2025_others" NO FORCE ROW LEVEL SECURITY;

-- water_levels.no_force.rental.water_levels_2025: Exempt the owner of the table from row-level security again
ALTER TABLE "rental"."water_levels_2025" NO FORCE ROW LEVEL SECURITY;

-- water_levels.no_force.rental.water_levels_now: Exempt the owner of the table from row-level security again
ALTER TABLE "rental"."water_levels_now" NO FORCE ROW LEVEL SECURITY;

-- skippers.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "rental"."skippers" NO FORCE ROW LEVEL SECURITY;

-- boats.disable: Disable row-level security
ALTER TABLE "rental"."boats" DISABLE ROW LEVEL SECURITY;

-- berths.disable: Disable row-level security
ALTER TABLE "rental"."berths" DISABLE ROW LEVEL SECURITY;

-- trips.disable: Disable row-level security
ALTER TABLE "rental"."trips" DISABLE ROW LEVEL SECURITY;

-- water_levels.disable: Disable row-level security
ALTER TABLE "rental"."water_levels" DISABLE ROW LEVEL SECURITY;

-- water_levels.disable.rental.water_levels_2025_a: Disable row-level security
ALTER TABLE "rental"."water_levels_2025_a" DISABLE ROW LEVEL SECURITY;

-- water_levels.disable.rental.water_levels_2025_others: Disable row-level security
ALTER TABLE "rental"."water_levels_2025_others" DISABLE ROW LEVEL SECURITY;

-- water_levels.disable.rental.water_levels_2025: Disable row-level security
ALTER TABLE "rental"."water_levels_2025" DISABLE ROW LEVEL SECURITY;

-- water_levels.disable.rental.water_levels_now: Disable row-level security
ALTER TABLE "rental"."water_levels_now" DISABLE ROW LEVEL SECURITY;

-- skippers.disable: Disable row-level security
ALTER TABLE "rental"."skippers" DISABLE ROW LEVEL SECURITY;

-- boats.policy.drop.tenant_isolation_boats: Remove the tenant policy
DROP POLICY "tenant_isolation_boats" ON "rental"."boats";

-- berths.policy.drop.tenant_isolation_berths: Remove the tenant policy
DROP POLICY "tenant_isolation_berths" ON "rental"."berths";

-- trips.policy.drop.tenant_isolation_trips: Remove the tenant policy
DROP POLICY "tenant_isolation_trips" ON "rental"."trips";

-- water_levels.policy.drop.tenant_isolation_water_levels: Remove the tenant policy
DROP POLICY "tenant_isolation_water_levels" ON "rental"."water_levels";

-- water_levels.policy.drop.tenant_isolation_water_levels.rental.water_levels_2025_a: Remove the tenant policy
DROP POLICY "tenant_isolation_water_levels" ON "rental"."water_levels_2025_a";

-- water_levels.policy.drop.tenant_isolation_water_levels.rental.water_levels_2025_others: Remove the tenant policy
DROP POLICY "tenant_isolation_water_levels" ON "rental"."water_levels_2025_others";

-- water_levels.policy.drop.tenant_isolation_water_levels.rental.water_levels_2025: Remove the tenant policy
DROP POLICY "tenant_isolation_water_levels" ON "rental"."water_levels_2025";

-- water_levels.policy.drop.tenant_isolation_water_levels.rental.water_levels_now: Remove the tenant policy
DROP POLICY "tenant_isolation_water_levels" ON "rental"."water_levels_now";

-- skippers.policy.drop.tenant_isolation_skippers: Remove the tenant policy
DROP POLICY "tenant_isolation_skippers" ON "rental"."skippers";

-- bridge.remove.desk: Remove the bridge: a session that sets no tenant has no tenant
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
