-- Rows of two organizations.
INSERT INTO saas.organizations (host) VALUES ('a.example.org'), ('b.example.org');
INSERT INTO saas.users (organization_id, email)
  SELECT o, format('u%s@example.org', n) FROM generate_series(1, 2) o, generate_series(1, 3) n;
INSERT INTO saas.projects (organization_id, slug, owner_id) SELECT organization_id, format('p%s', id), id FROM saas.users;
INSERT INTO saas.tasks (project_id, title) SELECT id, slug FROM saas.projects;
INSERT INTO saas.notes (organization_id, body) VALUES (1, 'a'), (2, 'b');
