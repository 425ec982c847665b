"""A Django project is described, migrated and rolled back. Django's own tools deploy its later releases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.describe import draft
from described import dumped, lines, read
from documented import RELEASE, files
from lab import OWNER
from projects import Project, Tenancy, create_login, database_of
from server import Server

# Django does not support older versions of PostgreSQL.
pytestmark = pytest.mark.since(14)
# The operator's decisions: the name of the default tenant, and that all tenants share the preferences.
GIVEN = {"default_tenant_name": "The first shop", "readable": ["public.shop_preference"]}
NEVER = "shop_never"
REFERRER = "shop_customer_referrer_id_6dbd1ed5_fk_shop_customer_id"
# The second release adds a NOT NULL column, a foreign key, a unique constraint and a table.
CREATED = "    created = models.DateTimeField(auto_now_add=True)\n"
COLUMNS = """    code = models.CharField(max_length=20, default="")
    referrer = models.ForeignKey("self", null=True, on_delete=models.SET_NULL)
"""
WORD = "    word = models.CharField(max_length=30, unique=True)\n"
LABEL = "    label = models.CharField(max_length=30, null=True, unique=True)\n"
REVIEW = """class Review(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    author = models.ForeignKey(Customer, null=True, on_delete=models.SET_NULL)
    product = models.ForeignKey(Product, null=True, on_delete=models.CASCADE)
    title = models.CharField(max_length=50)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["order", "author"], name="one_review"),)


"""
PREFERENCE = "class Preference("
SECOND = ((CREATED, CREATED + COLUMNS), (WORD, WORD + LABEL), (PREFERENCE, REVIEW + PREFERENCE))
# A data migration that finds rows by their natural keys and creates rows.
WORK = """from django.db import migrations, models

from shop.tenants import add_tenant, each_tenant


def add_reviews(apps, schema_editor):
    Customer, Order, Review = (apps.get_model("shop", name) for name in ("Customer", "Order", "Review"))
    ada = Customer.objects.filter(email="ada@example.org").first()
    for order in Order.objects.filter(customer=ada):
        Review.objects.create(order=order, author=ada, title=f"one of {Customer.objects.count()} customers")


def name_codes(apps, schema_editor):
    apps.get_model("shop", "Customer").objects.filter(code="").update(code="none")


class Migration(migrations.Migration):
    dependencies = (("shop", "0002_second"),)
    operations = (
        migrations.RunPython(name_codes, migrations.RunPython.noop),
        migrations.RunPython(add_tenant("shop_review", "shop_customer"), migrations.RunPython.noop),
        %s
    )
"""
CALL = 'migrations.RunPython(each_tenant("shop_customer", add_reviews), migrations.RunPython.noop)'
# The third release changes keys that contain the tenant column, and adds a key on values that both tenants have.
THIRD = (
    ("    email = models.EmailField(unique=True)", "    email = models.EmailField()"),
    ('        unique_together = ("customer", "number")\n', ""),
    ('unique_together = ("order", "product")', 'unique_together = ("order", "quantity")'),
    ('            models.UniqueConstraint(fields=["category", "sku"], name="one_sku_a_category"),\n',
     '            models.UniqueConstraint(fields=["sku"], name="one_sku"),\n'),
    ("    category = models.ForeignKey(Category, ", "    category = models.ForeignKey(Category, null=True, "),
)  # fmt: skip


# ON CONFLICT, as Django generates it.
STORE = """
from django.db import ProgrammingError
from shop.models import Tag
Tag.objects.bulk_create([Tag(word="loud")], ignore_conflicts=True)
Tag.objects.update_or_create(word="loud", defaults={})
try:
    Tag.objects.bulk_create([Tag(word="loud")], update_conflicts=True, unique_fields=["word"], update_fields=["word"])
except ProgrammingError as error:
    print(error.__cause__.sqlstate)
print(Tag.objects.count())
"""


class Shop(Project):
    """The web shop."""

    NAME, SOURCE = "shop", "django_project"

    def manage(
        self, *arguments: str, tenant: str | None = None, user: str = OWNER, database: str = NAME, fails: bool = False
    ) -> str:
        """Run ``manage.py`` with the tenant set at login. Return stdout, or stderr if the command must fail."""
        done = self.call(
            "manage.py", *arguments, SHOP_HOST=str(self.server.directory), SHOP_DATABASE=database, SHOP_USER=user,
            SHOP_OPTIONS=f"-c app.current_tenant={tenant}" if tenant else "",
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    def shell(self, code: str, tenant: str | None = None) -> str:
        """Run ``code`` in ``manage.py shell``, and return its output."""
        return self.manage("shell", "--no-imports", "--command", code, tenant=tenant).strip()

    def order(self, email: str, tenant: str | None = None) -> int:
        """Place an order, and return how many customers the shop has."""
        return int(self.shell(f"from shop.use import order; print(order({email!r}))", tenant))


@pytest.fixture
def shop(server: Server, tmp_path: Path) -> Iterator[Shop]:
    """Yield the project with its unmigrated database and an order."""
    with database_of(server, Shop.NAME, NEVER):
        made = Shop(server, tmp_path)
        made.manage("makemigrations", "shop")
        made.manage("migrate")
        made.order("ada@example.org")
        yield made


def same(schema: str, other: str) -> None:
    """Assert that both databases have the same schema."""
    assert schema.splitlines() == other.replace(NEVER, Shop.NAME).splitlines()


def migrated(shop: Shop, surrogate: str | None = None) -> Tenancy:
    """Migrate the shop to two tenants with equal keys, and add the files from frameworks.md.

    The application generates the key of the table ``surrogate`` as a random UUID, so the model lists a surrogate key.
    """
    tenancy = Tenancy(shop.server, shop.NAME, GIVEN)
    for entry in tenancy.source["tables"]:
        if entry["name"] == surrogate:
            entry["natural_keys"].remove(["id"])
            entry["surrogate_keys"] = [["id"]]
    tenancy.migrate()
    assert shop.order("grace@example.org") == 2
    assert shop.order("ada@example.org", tenant="2") == 1
    create_login(shop.server, shop.NAME)
    shop.add(files("Django"))
    shop.edit("settings.py", ("django.db.backends.postgresql", "shop.postgresql"))
    assert "No changes detected" in shop.manage("makemigrations", "--check", "--dry-run")
    return tenancy


def test_a_project_becomes_multi_tenant_and_rolls_back(server: Server, shop: Shop) -> None:
    first, decided = (draft.build(read(server, shop.NAME), given) for given in ({}, GIVEN))
    assert first["before"] == decided["before"] == []
    # The draft is used unchanged. The operator writes only the decisions: at most one line for every three tables.
    assert len(decided["tables"]) == 13
    assert 3 * lines(GIVEN) <= len(decided["tables"])
    tenancy, schema = Tenancy(server, shop.NAME, GIVEN), dumped(server, shop.NAME)
    assert tenancy.source["readable"] == [
        "public.shop_preference", "public.django_migrations", "public.django_content_type", "public.auth_permission",
    ]  # fmt: skip
    assert shop.shell(STORE).split() == ["1"]
    tenancy.migrate()
    # ON CONFLICT no longer finds a key with exactly these columns.
    assert shop.shell(STORE).split() == ["42P10", "1"]
    # The current release works as tenant 1. Another tenant can store rows with the same keys.
    assert shop.order("ada@example.org") == 1
    assert shop.order("grace@example.org") == 2
    assert shop.order("ada@example.org", tenant="2") == 1
    assert "No changes detected" in shop.manage("makemigrations", "--check", "--dry-run")
    assert "No migrations to apply" in shop.manage("migrate")
    assert tenancy.roll_back() == schema


def release(server: Server, shop: Shop) -> None:
    """Run the second release. Its data migration is killed once, and fails once with the service's login."""
    state = "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relrowsecurity ORDER BY 1"
    before = server.sql(state, shop.NAME)
    shop.edit("shop/models.py", *SECOND)
    shop.manage("makemigrations", "shop", "--name", "second")
    shop.add({"shop/migrations/0003_reviews.py": WORK % 'migrations.RunPython(lambda *_: __import__("os")._exit(9)),'})
    shop.manage("migrate", user=RELEASE, fails=True)
    assert server.sql(state, shop.NAME) == before
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        server.sql("SELECT FROM shop_review", shop.NAME, OWNER)
    shop.add({"shop/migrations/0003_reviews.py": WORK % f"{CALL},"})
    assert "must be owner of table shop_review" in shop.manage("migrate", fails=True)
    shop.manage("migrate", user=RELEASE)


def test_a_release_is_named_described_migrated_and_rolled_back(server: Server, shop: Shop) -> None:
    tenancy = migrated(shop, surrogate="shop_product")
    release(server, shop)
    owners = "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'release'::regrole AND deptype = 'o'"
    assert server.sql(owners, shop.NAME) == [(0,)]
    # One data migration changed the rows of all tenants together, and another changed them tenant by tenant.
    assert server.sql("SELECT tenant_id, email, code FROM shop_customer ORDER BY 1, 2", shop.NAME) == [
        (1, "ada@example.org", "none"), (1, "grace@example.org", "none"), (2, "ada@example.org", "none"),
    ]  # fmt: skip
    assert server.sql("SELECT tenant_id, title FROM shop_review ORDER BY 1", shop.NAME) == [
        (1, "one of 2 customers"), (2, "one of 1 customers"),
    ]  # fmt: skip
    assert tenancy.left() == {
        ("foreign-key", f"{REFERRER} of public.shop_customer"), ("unique-key", "shop_tag_label_key of shop_tag"),
        ("relation-unlisted", "public.shop_review"), ("column-unlisted", "public.shop_review"),
    }  # fmt: skip
    assert [(item["variable"], item["entry"], item["field"]) for item in tenancy.adapt()] == [
        ("tenancy_tables", "", ""), ("tenancy_tables", "shop_tag", "natural_keys"),
        ("tenancy_tables", "shop_customer", "foreign_keys"),
    ]  # fmt: skip
    tenancy.migrate()
    assert shop.order("ada@example.org", tenant="2") == 1
    counted = "from shop.models import Review; print(Review.objects.get().title)"
    assert [shop.shell(counted, tenant) for tenant in (None, "2")] == ["one of 2 customers", "one of 1 customers"]
    # The release itself created the tenant column of the new table, so the column remains.
    shop.manage("migrate", database=NEVER)
    column = "tenant_id integer NOT NULL DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer"
    server.sql(f"ALTER TABLE shop_review ADD COLUMN {column}", NEVER)
    same(tenancy.roll_back(), dumped(server, NEVER))


def test_a_release_changes_keys_that_hold_the_tenant(server: Server, shop: Shop) -> None:
    tenancy = migrated(shop)
    shop.edit("shop/models.py", *THIRD)
    shop.manage("makemigrations", "shop", "--name", "third")
    # With Django's own backend, no key has exactly the columns of the model.
    shop.edit("settings.py", ("shop.postgresql", "django.db.backends.postgresql"))
    assert "Found wrong number (0) of constraints" in shop.manage("migrate", user=RELEASE, fails=True)
    shop.edit("settings.py", ("django.db.backends.postgresql", "shop.postgresql"))
    shop.manage("migrate", user=RELEASE)
    keys = server.sql(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'u' AND conrelid IN"
        " ('\"Order\"'::regclass, 'shop_customer'::regclass, 'shop_orderline'::regclass, 'shop_product'::regclass)",
        shop.NAME,
    )
    assert {key for (key,) in keys} == {
        "UNIQUE (tenant_id, id)", "UNIQUE (tenant_id, user_id)", "UNIQUE (tenant_id, order_id, quantity)",
        "UNIQUE (tenant_id, sku)",
    }  # fmt: skip
    left = {("foreign-key", "shop_product_category_id_14d7eea8_fk_shop_category_id of public.shop_product")}
    assert tenancy.left() == left
    said = [item["say"] for item in tenancy.adapt()]
    gone = {
        "shop_customer": ["email"], "Order": ["customer_id", "number"], "shop_orderline": ["order_id", "product_id"],
        "shop_product": ["category_id", "sku"],
    }  # fmt: skip
    for entry in tenancy.source["tables"]:
        if key := gone.get(entry["name"]):
            remedy = "remove the key from natural_keys."
            assert f"{entry['name']} has no unique key ({', '.join(key)}): {remedy}" in said
            entry["natural_keys"].remove(key)
    tenancy.migrate()
    assert shop.order("ada@example.org", tenant="2") == 1
    shop.manage("migrate", database=NEVER)
    same(tenancy.roll_back(), dumped(server, NEVER))
