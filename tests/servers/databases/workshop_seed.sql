-- The rows of one year.
INSERT INTO workshop.alembic_version VALUES ('b81f0c2d');
INSERT INTO workshop.settings VALUES ('currency', 'EUR'), ('opens', '08:00');
INSERT INTO workshop.sessions VALUES ('a session', '{"employee": 1}', '2026-01-01');
INSERT INTO workshop.customers (email, "Full name") SELECT format('%s@example.org', n), format('Customer %s', n) FROM generate_series(1, 40) n;
INSERT INTO workshop.employees (badge, manager_id) SELECT format('B%s', 10000 + n), NULLIF(n / 4, 0) FROM generate_series(1, 8) n;
INSERT INTO workshop.bicycles (customer_id, frame_number) SELECT id, format('F-%s', id) FROM workshop.customers;
INSERT INTO workshop.repairs (bicycle_id, lead_id, opened_at) SELECT id, 1 + customer_id % 8, '2025-03-01'::timestamptz + customer_id * '1 day'::interval FROM workshop.bicycles;
INSERT INTO workshop.visits (repair, visit) SELECT number, n FROM workshop.repairs, generate_series(1, 2) n;
INSERT INTO workshop.parts (sku, title, price) SELECT format('P-%s', n), format('Part %s', n), n FROM generate_series(1, 9) n;
INSERT INTO workshop.visit_parts (repair, visit, sku) SELECT repair, visit, format('P-%s', 1 + repair % 9) FROM workshop.visits;
INSERT INTO workshop.repair_employees SELECT number, lead_id FROM workshop.repairs;
INSERT INTO workshop.bookings (employee, during, code) SELECT id, tstzrange('2025-01-01'::timestamptz + id * '1 day'::interval, '2025-01-01'::timestamptz + (id + 1) * '1 day'::interval), badge FROM workshop.employees;
INSERT INTO workshop.events (happened_at, repair, note) SELECT opened_at + n * '200 days'::interval, number, 'called' FROM workshop.repairs, generate_series(0, 1) n;
INSERT INTO workshop.invoices (customer_id, repair, total) SELECT b.customer_id, r.number, 20 FROM workshop.repairs r JOIN workshop.bicycles b ON b.id = r.bicycle_id;
