-- What the migration does not do by itself. Decide, remove the comment signs of what is to be done, and run
-- the file with psql as a superuser.

-- GiST needs it to compare the tenant column, which one_at_a_time will hold.
CREATE EXTENSION btree_gist;
