-- bridge.empty.desk: Remove the bridge: a session that sets no tenant has no tenant
ALTER ROLE "desk" IN DATABASE "boat_rental_leaks" SET "rental"."marina" = '';

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
