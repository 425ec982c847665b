-- The boat rental's database, with properties that a rollback must restore. Run this file as the owner.
CREATE SCHEMA rental;
SET search_path = rental;

CREATE TABLE boat_classes (name text PRIMARY KEY, boats integer NOT NULL DEFAULT 0);

CREATE TABLE boats (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  registration text NOT NULL UNIQUE,
  name text NOT NULL,
  added_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE berths (
  pier text NOT NULL,
  number integer NOT NULL,
  length numeric(4, 1) NOT NULL,
  CONSTRAINT "Berth" PRIMARY KEY (pier, number)
);

CREATE TABLE trips (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  boat_id uuid NOT NULL REFERENCES boats (id) ON DELETE CASCADE,
  pier text,
  number integer,
  skipper text NOT NULL,
  note text,
  left_at timestamptz NOT NULL DEFAULT now(),
  returned_at timestamptz,
  CONSTRAINT "leaves from" FOREIGN KEY (pier, number) REFERENCES berths ON UPDATE CASCADE ON DELETE SET NULL
    DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX trips_left_at ON trips (left_at DESC);
CREATE INDEX trips_boat ON trips (boat_id);
COMMENT ON CONSTRAINT "leaves from" ON trips IS 'a berth that goes leaves the trip''s past';

CREATE TABLE skippers (skipper text PRIMARY KEY, trips integer NOT NULL DEFAULT 0);

CREATE TABLE water_levels (
  pier text NOT NULL,
  number integer NOT NULL,
  measured_at timestamptz NOT NULL DEFAULT now(),
  metres numeric(5, 2) NOT NULL,
  CONSTRAINT "Gauge" PRIMARY KEY (pier, number, measured_at),
  FOREIGN KEY (pier, number) REFERENCES berths ON UPDATE CASCADE ON DELETE CASCADE
) PARTITION BY RANGE (measured_at);
CREATE TABLE water_levels_2025 PARTITION OF water_levels
  FOR VALUES FROM ('2025-01-01 00:00:00+00') TO ('2026-01-01 00:00:00+00') PARTITION BY LIST (pier);
CREATE TABLE water_levels_2025_a PARTITION OF water_levels_2025 FOR VALUES IN ('A');
CREATE TABLE water_levels_2025_others PARTITION OF water_levels_2025 DEFAULT;
CREATE TABLE water_levels_now PARTITION OF water_levels DEFAULT;
CREATE INDEX water_levels_measured_at ON water_levels (measured_at DESC);
ALTER INDEX water_levels_2025_a_pkey RENAME TO "Gauge of pier A";
COMMENT ON CONSTRAINT "Gauge of pier A" ON water_levels_2025_a IS 'the oldest gauge';

CREATE VIEW boats_out WITH (security_barrier = true) AS
  SELECT b.registration, b.name, t.skipper, t.left_at
  FROM trips t JOIN boats b ON b.id = t.boat_id WHERE t.returned_at IS NULL;

CREATE FUNCTION count_trip() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO rental.skippers (skipper, trips) VALUES (NEW.skipper, 1)
  ON CONFLICT (skipper) DO UPDATE SET trips = skippers.trips + 1;
  RETURN NULL;
END
$$;
CREATE TRIGGER count_trip AFTER INSERT ON trips FOR EACH ROW EXECUTE FUNCTION count_trip();
