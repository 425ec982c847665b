-- boats.default.constant: Give a row that names no tenant to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 again
ALTER TABLE "rental"."boats" ALTER COLUMN "marina" SET DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- berths.default.constant: Give a row that names no tenant to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 again
ALTER TABLE "rental"."berths" ALTER COLUMN "marina" SET DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- trips.default.constant: Give a row that names no tenant to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 again
ALTER TABLE "rental"."trips" ALTER COLUMN "marina" SET DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- skippers.default.constant: Give a row that names no tenant to tenant 9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683 again
ALTER TABLE "rental"."skippers" ALTER COLUMN "marina" SET DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'::uuid;

-- boats.no_force: Exempt the owner of the table again
ALTER TABLE "rental"."boats" NO FORCE ROW LEVEL SECURITY;

-- berths.no_force: Exempt the owner of the table again
ALTER TABLE "rental"."berths" NO FORCE ROW LEVEL SECURITY;

-- trips.no_force: Exempt the owner of the table again
ALTER TABLE "rental"."trips" NO FORCE ROW LEVEL SECURITY;

-- skippers.no_force: Exempt the owner of the table again
ALTER TABLE "rental"."skippers" NO FORCE ROW LEVEL SECURITY;

-- boats.disable: Switch row-level security off
ALTER TABLE "rental"."boats" DISABLE ROW LEVEL SECURITY;

-- berths.disable: Switch row-level security off
ALTER TABLE "rental"."berths" DISABLE ROW LEVEL SECURITY;

-- trips.disable: Switch row-level security off
ALTER TABLE "rental"."trips" DISABLE ROW LEVEL SECURITY;

-- skippers.disable: Switch row-level security off
ALTER TABLE "rental"."skippers" DISABLE ROW LEVEL SECURITY;

-- boats.policy.drop.tenant_isolation_boats: Remove the tenant policy
DROP POLICY "tenant_isolation_boats" ON "rental"."boats";

-- berths.policy.drop.tenant_isolation_berths: Remove the tenant policy
DROP POLICY "tenant_isolation_berths" ON "rental"."berths";

-- trips.policy.drop.tenant_isolation_trips: Remove the tenant policy
DROP POLICY "tenant_isolation_trips" ON "rental"."trips";

-- skippers.policy.drop.tenant_isolation_skippers: Remove the tenant policy
DROP POLICY "tenant_isolation_skippers" ON "rental"."skippers";

-- bridge.remove.desk: Remove the bridge: a login that names no tenant has none
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
