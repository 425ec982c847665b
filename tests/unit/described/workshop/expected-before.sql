-- Changes that the migration does not make. Decide which changes to make, uncomment their statements, and
-- run the file with psql as a superuser.

-- GiST needs this extension to compare the tenant column, which the migration adds to one_at_a_time.
CREATE EXTENSION btree_gist;
