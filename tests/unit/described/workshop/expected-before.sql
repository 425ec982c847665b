-- Changes that the migration does not make. Decide, remove the comment signs of the changes to make, and run
-- the file with psql as a superuser.

-- GiST needs it to compare the tenant column, which one_at_a_time will contain.
CREATE EXTENSION btree_gist;
