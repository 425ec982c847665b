-- bridge.empty.desk: Remove the bridge: a login that names no tenant has none
ALTER ROLE "desk" IN DATABASE "boat_rental_leaks" SET "rental"."marina" = '';

-- boats.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_boats" ON "rental"."boats";

-- berths.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_berths" ON "rental"."berths";

-- trips.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_trips" ON "rental"."trips";

-- water_levels.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_water_levels" ON "rental"."water_levels";

-- water_levels.bridge.drop.rental.water_levels_2025_a: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_water_levels" ON "rental"."water_levels_2025_a";

-- water_levels.bridge.drop.rental.water_levels_2025_others: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_water_levels" ON "rental"."water_levels_2025_others";

-- water_levels.bridge.drop.rental.water_levels_2025: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_water_levels" ON "rental"."water_levels_2025";

-- water_levels.bridge.drop.rental.water_levels_now: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_water_levels" ON "rental"."water_levels_now";

-- skippers.bridge.drop: Stop recording who needs the bridge
DROP POLICY "tenancy_bridge_skippers" ON "rental"."skippers";

-- bridge.note.drop: Stop recording who needs the bridge
DROP FUNCTION "rental"."tenancy_bridge_note"();

-- bridge.used.drop: Stop recording who needs the bridge
DROP SEQUENCE "rental"."tenancy_bridge_used";
