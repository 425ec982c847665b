-- A service that has a tenant column and a tenants table before the migration. Run this file as the owner.
CREATE SCHEMA saas;
CREATE TABLE saas.organizations (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, host text NOT NULL UNIQUE);
CREATE TABLE saas.users (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization_id integer NOT NULL REFERENCES saas.organizations,
  email text NOT NULL,
  UNIQUE (organization_id, email)
);
CREATE TABLE saas.projects (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id integer NOT NULL REFERENCES saas.organizations,
  slug text NOT NULL UNIQUE,
  owner_id bigint NOT NULL REFERENCES saas.users (id),
  created_at timestamptz NOT NULL DEFAULT now()
);
-- A task takes its tenant from its project.
CREATE TABLE saas.tasks (
  id bigserial PRIMARY KEY,
  project_id uuid NOT NULL REFERENCES saas.projects (id) ON DELETE CASCADE,
  title text NOT NULL
);
CREATE TABLE saas.notes (
  id bigserial PRIMARY KEY,
  organization_id integer NOT NULL REFERENCES saas.organizations,
  body text NOT NULL
);
