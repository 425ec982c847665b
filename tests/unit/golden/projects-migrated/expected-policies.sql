-- projects.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "public"."projects" NO FORCE ROW LEVEL SECURITY;

-- tasks.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "public"."tasks" NO FORCE ROW LEVEL SECURITY;

-- marks.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "public"."marks" NO FORCE ROW LEVEL SECURITY;

-- marks.no_force.public.marks_1: Exempt the owner of the table from row-level security again
ALTER TABLE "public"."marks_1" NO FORCE ROW LEVEL SECURITY;

-- marks.no_force.public.marks_2: Exempt the owner of the table from row-level security again
ALTER TABLE "public"."marks_2" NO FORCE ROW LEVEL SECURITY;

-- notes.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "public"."notes" NO FORCE ROW LEVEL SECURITY;

-- organizations.no_force: Exempt the owner of the table from row-level security again
ALTER TABLE "public"."organizations" NO FORCE ROW LEVEL SECURITY;

-- projects.disable: Disable row-level security
ALTER TABLE "public"."projects" DISABLE ROW LEVEL SECURITY;

-- tasks.disable: Disable row-level security
ALTER TABLE "public"."tasks" DISABLE ROW LEVEL SECURITY;

-- marks.disable: Disable row-level security
ALTER TABLE "public"."marks" DISABLE ROW LEVEL SECURITY;

-- marks.disable.public.marks_1: Disable row-level security
ALTER TABLE "public"."marks_1" DISABLE ROW LEVEL SECURITY;

-- marks.disable.public.marks_2: Disable row-level security
ALTER TABLE "public"."marks_2" DISABLE ROW LEVEL SECURITY;

-- notes.disable: Disable row-level security
ALTER TABLE "public"."notes" DISABLE ROW LEVEL SECURITY;

-- organizations.disable: Disable row-level security
ALTER TABLE "public"."organizations" DISABLE ROW LEVEL SECURITY;

-- projects.policy.drop.tenant_isolation_projects: Remove the tenant policy
DROP POLICY "tenant_isolation_projects" ON "public"."projects";

-- tasks.policy.drop.tenant_isolation_tasks: Remove the tenant policy
DROP POLICY "tenant_isolation_tasks" ON "public"."tasks";

-- marks.policy.drop.tenant_isolation_marks: Remove the tenant policy
DROP POLICY "tenant_isolation_marks" ON "public"."marks";

-- marks.policy.drop.tenant_isolation_marks.public.marks_1: Remove the tenant policy
DROP POLICY "tenant_isolation_marks" ON "public"."marks_1";

-- marks.policy.drop.tenant_isolation_marks.public.marks_2: Remove the tenant policy
DROP POLICY "tenant_isolation_marks" ON "public"."marks_2";

-- notes.policy.drop.tenant_isolation_notes: Remove the tenant policy
DROP POLICY "tenant_isolation_notes" ON "public"."notes";

-- organizations.policy.drop.tenant_isolation_organizations_delete: Remove the tenant policy
DROP POLICY "tenant_isolation_organizations_delete" ON "public"."organizations";

-- organizations.policy.drop.tenant_isolation_organizations_insert: Remove the tenant policy
DROP POLICY "tenant_isolation_organizations_insert" ON "public"."organizations";

-- organizations.policy.drop.tenant_isolation_organizations_select: Remove the tenant policy
DROP POLICY "tenant_isolation_organizations_select" ON "public"."organizations";

-- organizations.policy.drop.tenant_isolation_organizations_update: Remove the tenant policy
DROP POLICY "tenant_isolation_organizations_update" ON "public"."organizations";
