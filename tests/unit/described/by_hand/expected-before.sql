-- Changes that the migration does not make. Decide which changes to make, uncomment their statements, and
-- run the file with psql as a superuser.

-- GiST needs this extension to compare the tenant column, which the migration adds to one_at_a_time.
CREATE EXTENSION btree_gist;

-- The rewrite rule never of shop.lines runs with the privileges of the table's owner. DECIDE: Drop the rule, and use a
-- trigger.
-- DROP RULE never ON shop.lines;

-- The table shop.old_orders inherits from shop.orders, whose policies do not apply to it. DECIDE: Remove the
-- inheritance. A query of the parent then no longer shows the rows of this table.
-- ALTER TABLE shop.old_orders NO INHERIT shop.orders;

-- The view reports.codes shows tenant tables with the privileges of its owner. DECIDE: Move the view to shop and list
-- it in tenancy_views, or drop it.
-- ALTER VIEW reports.codes SET SCHEMA shop;

-- The materialized view shop.per_day contains the rows of all tenants, and no policy filters them. DECIDE: Drop the
-- view, or give it to a role other than the service's and revoke the service's privileges.
-- DROP MATERIALIZED VIEW shop.per_day;
