SET search_path = rental;
INSERT INTO boat_classes (name, boats) VALUES ('dinghy', 12), ('sloop', 8);
INSERT INTO boats (registration, name)
SELECT format('NH-%s', to_char(n, 'FM000')), format('Boat %s', n) FROM generate_series(1, 20) AS n;
INSERT INTO berths (pier, number, length)
SELECT pier, number, 6 + number % 7 FROM unnest(ARRAY['A', 'B', 'C']) AS pier, generate_series(1, 10) AS number;
INSERT INTO water_levels (pier, number, measured_at, metres)
SELECT pier, number, timestamptz '2025-10-15 12:00:00+00' + month * interval '30 days', 1 + (number + month) % 5 * 0.25
FROM berths CROSS JOIN generate_series(0, 3) AS month;
INSERT INTO trips (boat_id, pier, number, skipper, note, left_at, returned_at)
SELECT b.id, chr(65 + n % 3), 1 + n % 10, format('skipper %s', n % 30), format('trip %s', n),
  timestamptz '2025-05-01 08:00:00+00' + n * interval '3 hours',
  CASE WHEN n % 5 > 0 THEN timestamptz '2025-05-01 10:00:00+00' + n * interval '3 hours' END
FROM generate_series(1, 400) AS n JOIN boats b ON b.registration = format('NH-%s', to_char(1 + n % 20, 'FM000'));
ANALYZE;
