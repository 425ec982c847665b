-- Objects around one tenant table that need manual changes before the migration. Run this file as the owner.
CREATE SCHEMA shop;
CREATE SCHEMA reports;
SET search_path = shop;

CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, placed daterange NOT NULL, code text NOT NULL);
ALTER TABLE orders ADD CONSTRAINT one_at_a_time EXCLUDE USING gist (placed WITH &&);
CREATE UNIQUE INDEX orders_code ON orders (lower(code));
CREATE TABLE lines (order_id bigint REFERENCES orders (id), line integer, PRIMARY KEY (order_id, line));
CREATE TABLE old_orders () INHERITS (orders);
CREATE RULE never AS ON DELETE TO lines DO INSTEAD NOTHING;
CREATE TABLE reports.daily (day date PRIMARY KEY, orders integer NOT NULL);
CREATE VIEW reports.codes AS SELECT code FROM orders;
CREATE VIEW codes AS SELECT code FROM reports.codes;
CREATE MATERIALIZED VIEW per_day AS SELECT lower(placed) AS day, count(*) FROM orders GROUP BY 1;
CREATE FUNCTION forget(which text) RETURNS void BEGIN ATOMIC DELETE FROM orders WHERE code = which; END;
CREATE PROCEDURE remove_all() LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM orders WHERE true;
END
$$;
CREATE FUNCTION replaced(which text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- UPDATE orders SET code = 'of a comment';
  EXECUTE 'DELETE FROM orders WHERE code = $1' USING which;
  TRUNCATE lines;
  UPDATE orders SET code = lower(code);
  INSERT INTO orders VALUES (DEFAULT, 'empty', which);
END
$$;
