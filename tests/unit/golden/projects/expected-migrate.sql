-- notes.column: Add customer_id; each row takes its tenant from tasks (the table is rewritten)
ALTER TABLE "public"."notes" ADD COLUMN "customer_id" integer;

-- marks.column: Add customer_id; each row takes its tenant from notes (the table is rewritten)
ALTER TABLE "public"."marks" ADD COLUMN "customer_id" integer;

-- notes.column.source: Add customer_id; each row takes its tenant from tasks (the table is rewritten)
CREATE FUNCTION pg_temp."tenancy_tenant_notes"("public"."notes"."task_id"%TYPE) RETURNS integer LANGUAGE sql STABLE AS $tenancy$SELECT "customer_id" FROM "public"."tasks" WHERE "id" OPERATOR(pg_catalog.=) $1$tenancy$;

-- notes.column.fill: Add customer_id; each row takes its tenant from tasks (the table is rewritten)
ALTER TABLE "public"."notes" ALTER COLUMN "customer_id" TYPE integer USING pg_temp."tenancy_tenant_notes"("task_id"), ALTER COLUMN "customer_id" SET NOT NULL;

-- marks.column.source: Add customer_id; each row takes its tenant from notes (the table is rewritten)
CREATE FUNCTION pg_temp."tenancy_tenant_marks"("public"."marks"."note_id"%TYPE) RETURNS integer LANGUAGE sql STABLE AS $tenancy$SELECT "customer_id" FROM "public"."notes" WHERE "id" OPERATOR(pg_catalog.=) $1$tenancy$;

-- marks.column.fill: Add customer_id; each row takes its tenant from notes (the table is rewritten)
ALTER TABLE "public"."marks" ALTER COLUMN "customer_id" TYPE integer USING pg_temp."tenancy_tenant_marks"("note_id"), ALTER COLUMN "customer_id" SET NOT NULL;

-- tasks.not_null: Refuse rows without customer_id
ALTER TABLE "public"."tasks" ALTER COLUMN "customer_id" SET NOT NULL;

-- projects.key.projects_code_key.build: Build the key projects_code_key with customer_id
CREATE UNIQUE INDEX "projects_code_key_tenant_key" ON "public"."projects" ("customer_id", "code");

-- projects.key.id.build: Build the key (customer_id, id)
CREATE UNIQUE INDEX "projects_customer_id_id_tenant_key" ON "public"."projects" ("customer_id", "id");

-- tasks.key.id.build: Build the key (customer_id, id)
CREATE UNIQUE INDEX "tasks_customer_id_id_tenant_key" ON "public"."tasks" ("customer_id", "id");

-- notes.key.id.build: Build the key (customer_id, id)
CREATE UNIQUE INDEX "notes_customer_id_id_tenant_key" ON "public"."notes" ("customer_id", "id");

-- tasks.foreign_key.project_id.drop: Add the tenant column to foreign keys, so that no row references another tenant's row
ALTER TABLE "public"."tasks" DROP CONSTRAINT "tasks_project_id_fkey";

-- marks.foreign_key.note_id.drop: Add the tenant column to foreign keys, so that no row references another tenant's row
ALTER TABLE "public"."marks" DROP CONSTRAINT "marks_note_id_fkey";

-- notes.foreign_key.task_id.drop: Add the tenant column to foreign keys, so that no row references another tenant's row
ALTER TABLE "public"."notes" DROP CONSTRAINT "notes_task_id_fkey";

-- projects.key.projects_code_key: Make (code) unique per tenant instead of globally
ALTER TABLE "public"."projects" DROP CONSTRAINT "projects_code_key", ADD CONSTRAINT "projects_code_key" UNIQUE USING INDEX "projects_code_key_tenant_key";

-- projects.key.id: Let foreign keys reference (id) together with the tenant
ALTER TABLE "public"."projects" ADD CONSTRAINT "projects_customer_id_id_key" UNIQUE USING INDEX "projects_customer_id_id_tenant_key";

-- tasks.key.id: Let foreign keys reference (id) together with the tenant
ALTER TABLE "public"."tasks" ADD CONSTRAINT "tasks_customer_id_id_key" UNIQUE USING INDEX "tasks_customer_id_id_tenant_key";

-- notes.key.id: Let foreign keys reference (id) together with the tenant
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_customer_id_id_key" UNIQUE USING INDEX "notes_customer_id_id_tenant_key";

-- tasks.foreign_key.project_id: Add the tenant column to foreign keys, so that no row references another tenant's row
ALTER TABLE "public"."tasks" ADD CONSTRAINT "tasks_project_id_fkey" FOREIGN KEY ("customer_id", "project_id") REFERENCES "public"."projects" ("customer_id", "id") ON DELETE CASCADE;

-- marks.foreign_key.note_id: Add the tenant column to foreign keys, so that no row references another tenant's row
ALTER TABLE "public"."marks" ADD CONSTRAINT "marks_note_id_fkey" FOREIGN KEY ("customer_id", "note_id") REFERENCES "public"."notes" ("customer_id", "id");

-- notes.foreign_key.task_id: Add the tenant column to foreign keys, so that no row references another tenant's row
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_task_id_fkey" FOREIGN KEY ("customer_id", "task_id") REFERENCES "public"."tasks" ("customer_id", "id");

-- projects.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "public"."projects" FROM "alice";

-- tasks.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "public"."tasks" FROM "alice";

-- marks.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "public"."marks" FROM "alice";

-- marks.revoke.public.marks_1: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "public"."marks_1" FROM "alice";

-- marks.revoke.public.marks_2: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "public"."marks_2" FROM "alice";

-- notes.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "public"."notes" FROM "alice";

-- organizations.revoke: Revoke TRUNCATE, which row security does not restrict
REVOKE TRUNCATE ON "public"."organizations" FROM "alice";

-- projects.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "public"."projects" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- tasks.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "public"."tasks" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- marks.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "public"."marks" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- notes.default: Give a row without a tenant the session's tenant, or reject the row if the session has none
ALTER TABLE "public"."notes" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer;

-- projects.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_projects" ON "public"."projects" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- tasks.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_tasks" ON "public"."tasks" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- marks.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_marks" ON "public"."marks" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- marks.policy.public.marks_1: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_marks" ON "public"."marks_1" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- marks.policy.public.marks_2: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_marks" ON "public"."marks_2" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- notes.policy: Show and accept only rows of the session's tenant
CREATE POLICY "tenant_isolation_notes" ON "public"."notes" FOR ALL TO "alice" USING ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("customer_id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- organizations.policy.select: Let every session read the tenants table, and change only its tenant's row
CREATE POLICY "tenant_isolation_organizations_select" ON "public"."organizations" FOR SELECT TO "alice" USING (true);

-- organizations.policy.insert: Let every session read the tenants table, and change only its tenant's row
CREATE POLICY "tenant_isolation_organizations_insert" ON "public"."organizations" FOR INSERT TO "alice" WITH CHECK ("id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- organizations.policy.update: Let every session read the tenants table, and change only its tenant's row
CREATE POLICY "tenant_isolation_organizations_update" ON "public"."organizations" FOR UPDATE TO "alice" USING ("id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer)) WITH CHECK ("id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- organizations.policy.delete: Let every session read the tenants table, and change only its tenant's row
CREATE POLICY "tenant_isolation_organizations_delete" ON "public"."organizations" FOR DELETE TO "alice" USING ("id" = (SELECT nullif(current_setting('app.current_tenant', true), '')::integer));

-- projects.enable: Enable row-level security
ALTER TABLE "public"."projects" ENABLE ROW LEVEL SECURITY;

-- tasks.enable: Enable row-level security
ALTER TABLE "public"."tasks" ENABLE ROW LEVEL SECURITY;

-- marks.enable: Enable row-level security
ALTER TABLE "public"."marks" ENABLE ROW LEVEL SECURITY;

-- marks.enable.public.marks_1: Enable row-level security
ALTER TABLE "public"."marks_1" ENABLE ROW LEVEL SECURITY;

-- marks.enable.public.marks_2: Enable row-level security
ALTER TABLE "public"."marks_2" ENABLE ROW LEVEL SECURITY;

-- notes.enable: Enable row-level security
ALTER TABLE "public"."notes" ENABLE ROW LEVEL SECURITY;

-- organizations.enable: Enable row-level security
ALTER TABLE "public"."organizations" ENABLE ROW LEVEL SECURITY;

-- projects.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "public"."projects" FORCE ROW LEVEL SECURITY;

-- tasks.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "public"."tasks" FORCE ROW LEVEL SECURITY;

-- marks.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "public"."marks" FORCE ROW LEVEL SECURITY;

-- marks.force.public.marks_1: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "public"."marks_1" FORCE ROW LEVEL SECURITY;

-- marks.force.public.marks_2: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "public"."marks_2" FORCE ROW LEVEL SECURITY;

-- notes.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "public"."notes" FORCE ROW LEVEL SECURITY;

-- organizations.force: Apply row-level security to the owner of the table as well (FORCE)
ALTER TABLE "public"."organizations" FORCE ROW LEVEL SECURITY;
