-- organizations.policy.drop.tenant_isolation_organizations_delete: Drop the policies of the migration
DROP POLICY "tenant_isolation_organizations_delete" ON "public"."organizations";

-- organizations.policy.drop.tenant_isolation_organizations_insert: Drop the policies of the migration
DROP POLICY "tenant_isolation_organizations_insert" ON "public"."organizations";

-- organizations.policy.drop.tenant_isolation_organizations_select: Drop the policies of the migration
DROP POLICY "tenant_isolation_organizations_select" ON "public"."organizations";

-- organizations.policy.drop.tenant_isolation_organizations_update: Drop the policies of the migration
DROP POLICY "tenant_isolation_organizations_update" ON "public"."organizations";

-- projects.policy.drop.tenant_isolation_projects: Drop the policies of the migration
DROP POLICY "tenant_isolation_projects" ON "public"."projects";

-- tasks.policy.drop.tenant_isolation_tasks: Drop the policies of the migration
DROP POLICY "tenant_isolation_tasks" ON "public"."tasks";

-- marks.policy.drop.tenant_isolation_marks.public.marks_1: Drop the policies of the migration
DROP POLICY "tenant_isolation_marks" ON "public"."marks_1";

-- marks.policy.drop.tenant_isolation_marks.public.marks_2: Drop the policies of the migration
DROP POLICY "tenant_isolation_marks" ON "public"."marks_2";

-- marks.policy.drop.tenant_isolation_marks: Drop the policies of the migration
DROP POLICY "tenant_isolation_marks" ON "public"."marks";

-- notes.policy.drop.tenant_isolation_notes: Drop the policies of the migration
DROP POLICY "tenant_isolation_notes" ON "public"."notes";

-- projects.forced: Restore the original row-level security
ALTER TABLE "public"."projects" NO FORCE ROW LEVEL SECURITY;

-- tasks.forced: Restore the original row-level security
ALTER TABLE "public"."tasks" NO FORCE ROW LEVEL SECURITY;

-- marks.forced.public.marks_1: Restore the original row-level security
ALTER TABLE "public"."marks_1" NO FORCE ROW LEVEL SECURITY;

-- marks.forced.public.marks_2: Restore the original row-level security
ALTER TABLE "public"."marks_2" NO FORCE ROW LEVEL SECURITY;

-- marks.forced: Restore the original row-level security
ALTER TABLE "public"."marks" NO FORCE ROW LEVEL SECURITY;

-- notes.forced: Restore the original row-level security
ALTER TABLE "public"."notes" NO FORCE ROW LEVEL SECURITY;

-- organizations.forced: Restore the original row-level security
ALTER TABLE "public"."organizations" NO FORCE ROW LEVEL SECURITY;

-- projects.enabled: Restore the original row-level security
ALTER TABLE "public"."projects" DISABLE ROW LEVEL SECURITY;

-- tasks.enabled: Restore the original row-level security
ALTER TABLE "public"."tasks" DISABLE ROW LEVEL SECURITY;

-- marks.enabled.public.marks_1: Restore the original row-level security
ALTER TABLE "public"."marks_1" DISABLE ROW LEVEL SECURITY;

-- marks.enabled.public.marks_2: Restore the original row-level security
ALTER TABLE "public"."marks_2" DISABLE ROW LEVEL SECURITY;

-- marks.enabled: Restore the original row-level security
ALTER TABLE "public"."marks" DISABLE ROW LEVEL SECURITY;

-- notes.enabled: Restore the original row-level security
ALTER TABLE "public"."notes" DISABLE ROW LEVEL SECURITY;

-- organizations.enabled: Restore the original row-level security
ALTER TABLE "public"."organizations" DISABLE ROW LEVEL SECURITY;

-- projects.default: Restore the original default of customer_id
ALTER TABLE "public"."projects" ALTER COLUMN "customer_id" DROP DEFAULT;

-- tasks.default: Restore the original default of customer_id
ALTER TABLE "public"."tasks" ALTER COLUMN "customer_id" SET DEFAULT 1;

-- tasks.foreign_key.drop.tasks_project_id_fkey: Drop the foreign keys with the tenant column
ALTER TABLE "public"."tasks" DROP CONSTRAINT "tasks_project_id_fkey";

-- marks.foreign_key.drop.marks_note_id_fkey: Drop the foreign keys with the tenant column
ALTER TABLE "public"."marks" DROP CONSTRAINT "marks_note_id_fkey";

-- notes.foreign_key.drop.notes_task_id_fkey: Drop the foreign keys with the tenant column
ALTER TABLE "public"."notes" DROP CONSTRAINT "notes_task_id_fkey";

-- projects.key.drop.projects_code_key: Drop the keys and indexes per tenant
ALTER TABLE "public"."projects" DROP CONSTRAINT "projects_code_key";

-- projects.key.drop.projects_customer_id_id_key: Drop the keys and indexes per tenant
ALTER TABLE "public"."projects" DROP CONSTRAINT "projects_customer_id_id_key";

-- tasks.key.drop.tasks_customer_id_id_key: Drop the keys and indexes per tenant
ALTER TABLE "public"."tasks" DROP CONSTRAINT "tasks_customer_id_id_key";

-- notes.key.drop.notes_customer_id_id_key: Drop the keys and indexes per tenant
ALTER TABLE "public"."notes" DROP CONSTRAINT "notes_customer_id_id_key";

-- tasks.not_null: Restore the original customer_id
ALTER TABLE "public"."tasks" ALTER COLUMN "customer_id" DROP NOT NULL;

-- projects.index.projects_code_key: Restore the original keys and indexes
CREATE UNIQUE INDEX "projects_code_key_original_key" ON public.projects USING btree (code);

-- projects.key.projects_code_key: Restore the original keys and indexes
ALTER TABLE "public"."projects" ADD CONSTRAINT "projects_code_key" UNIQUE USING INDEX "projects_code_key_original_key";

-- marks.column.drop: Drop customer_id; all rows remain
ALTER TABLE "public"."marks" DROP COLUMN "customer_id";

-- notes.column.drop: Drop customer_id; all rows remain
ALTER TABLE "public"."notes" DROP COLUMN "customer_id";

-- tasks.foreign_key.tasks_project_id_fkey: Restore the original foreign keys
ALTER TABLE "public"."tasks" ADD CONSTRAINT "tasks_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "public"."projects" ("id") ON DELETE CASCADE;

-- marks.foreign_key.marks_note_id_fkey: Restore the original foreign keys
ALTER TABLE "public"."marks" ADD CONSTRAINT "marks_note_id_fkey" FOREIGN KEY ("note_id") REFERENCES "public"."notes" ("id");

-- notes.foreign_key.notes_task_id_fkey: Restore the original foreign keys
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "public"."tasks" ("id");

-- projects.grant: Grant the revoked privileges again
GRANT TRUNCATE ON "public"."projects" TO "alice";

-- tasks.grant: Grant the revoked privileges again
GRANT TRUNCATE ON "public"."tasks" TO "alice";

-- marks.grant.public.marks_1: Grant the revoked privileges again
GRANT TRUNCATE ON "public"."marks_1" TO "alice";

-- marks.grant.public.marks_2: Grant the revoked privileges again
GRANT TRUNCATE ON "public"."marks_2" TO "alice";

-- marks.grant: Grant the revoked privileges again
GRANT TRUNCATE ON "public"."marks" TO "alice";

-- notes.grant: Grant the revoked privileges again
GRANT TRUNCATE ON "public"."notes" TO "alice";

-- organizations.grant: Grant the revoked privileges again
GRANT TRUNCATE ON "public"."organizations" TO "alice";
