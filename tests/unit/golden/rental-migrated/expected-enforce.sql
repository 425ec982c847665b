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
