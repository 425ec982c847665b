-- Changes that the migration does not make. Decide, remove the comment signs of the changes to make, and run
-- the file with psql as a superuser.

-- GiST needs it to compare the tenant column, which one_at_a_time will hold.
CREATE EXTENSION btree_gist;

-- The rewrite rule never of shop.lines runs with the privileges of the table's owner. DECIDE: Drop it, and use a
-- trigger.
-- DROP RULE never ON shop.lines;

-- The table shop.old_orders inherits from shop.orders, whose policies do not apply to it. DECIDE: End the inheritance:
-- a query of the parent no longer shows its rows.
-- ALTER TABLE shop.old_orders NO INHERIT shop.orders;

-- The view reports.codes shows tenant tables with the privileges of its owner. DECIDE: Move it to shop and name it in
-- tenancy_views, or drop it.
-- ALTER VIEW reports.codes SET SCHEMA shop;

-- The materialized view shop.per_day holds the rows of all tenants, and no policy filters them. DECIDE: Drop it, or let
-- a role own it that is not the service's and revoke the service's privileges.
-- DROP MATERIALIZED VIEW shop.per_day;
