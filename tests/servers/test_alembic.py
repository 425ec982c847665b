"""An Alembic project: after the migration, autogenerate finds no changes, and a release works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from described import dumped
from documented import RELEASE, blocks, files
from lab import OWNER
from projects import Project, Tenancy, create_login, database_of
from server import Server

# One foreign key is ON DELETE SET NULL, which the plan refuses before PostgreSQL 15.
pytestmark = pytest.mark.since(15)
GIVEN = {"default_tenant_name": "The first library"}
NEVER = "library_never"
HOOK = ", process_revision_directives=without_tenant"
# The release adds a NOT NULL column, a foreign key, a table, and a key on values that both tenants have. It drops
# another key.
EMAIL = "    email: Mapped[str] = mapped_column(unique=True)\n"
ISBN = '        UniqueConstraint("isbn", name="one_isbn"),\n'
MEMBER = 'ForeignKey("members.id", ondelete="CASCADE")'
LOAN = "class Loan("
CARD = """class Card(Base):
    __tablename__ = "cards"
    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id", name="card_of_member"), unique=True)


"""
COLUMNS = """    email: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="new")
    book_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("books.id", name="book_of_member"))
"""
CHANGES = (
    (EMAIL, COLUMNS), (ISBN, ISBN + '        UniqueConstraint("shelf", name="one_shelf"),\n'),
    (MEMBER, 'ForeignKey("members.id", name="loan_of_member", ondelete="RESTRICT")'), (LOAN, CARD + LOAN),
)  # fmt: skip
ROWS = """
INSERT INTO members (email, name) VALUES ('ada@example.org', 'Ada');
INSERT INTO books (id, isbn, shelf) VALUES (gen_random_uuid(), '1', 'desk');
INSERT INTO loans (member_id, book_id) SELECT m.id, b.id FROM members m, books b
"""
UPSERT = """
import os
from models import Book
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql import insert
with create_engine(os.environ["DATABASE_URL"]).begin() as connection:
    row = insert(Book).values(isbn="1", shelf="desk")
    connection.execute(row.on_conflict_do_update(constraint="one_isbn", set_={"shelf": "desk"}))
"""


class Library(Project):
    """The library's project."""

    NAME, SOURCE = "library", "alembic_project"

    def python(self, *arguments: str, user: str = OWNER, database: str = NAME, fails: bool = False) -> str:
        """Run Python in the project as ``user`` of ``database``, and return its output."""
        url = f"postgresql+psycopg2://{user}@/{database}?host={self.server.directory}"
        done = self.call(*arguments, DATABASE_URL=url)
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def alembic(self, *arguments: str, user: str = OWNER, database: str = NAME, fails: bool = False) -> str:
        """Run the ``alembic`` command."""
        return self.python("-m", "alembic", *arguments, user=user, database=database, fails=fails)

    def revise(self, name: str, *more: str) -> str:
        """Generate a revision and return its path."""
        self.alembic("revision", "-m", name, *more)
        (path,) = (self.directory / "versions").glob(f"*_{name}.py")
        return f"versions/{path.name}"

    def rows(self, tenant: str) -> None:
        """Store a row in each table, as the service with this tenant."""
        self.server.sql(f"SET app.current_tenant = '{tenant}'; {ROWS}", self.NAME, OWNER)


@pytest.fixture
def library(server: Server, tmp_path: Path) -> Iterator[Library]:
    """Yield the project with its unmigrated database and a loan."""
    with database_of(server, Library.NAME, NEVER):
        made = Library(server, tmp_path)
        made.add(files("Alembic"))
        (made.directory / "versions").mkdir()
        made.revise("first", "--autogenerate")
        made.alembic("upgrade", "head")
        made.rows("1")
        yield made


def migrated(library: Library) -> Tenancy:
    """Migrate the library to two tenants with equal keys."""
    tenancy = Tenancy(library.server, library.NAME, GIVEN)
    tenancy.migrate()
    library.rows("2")
    create_login(library.server, library.NAME)
    return tenancy


def test_autogenerate_proposes_nothing_after_the_migration(library: Library) -> None:
    library.python("-c", UPSERT)
    migrated(library)
    library.python("-c", UPSERT)
    assert "No new upgrade operations detected" in library.alembic("check")
    # Without the hook from frameworks.md, autogenerate drops the tenant column and its keys.
    library.edit("env.py", (HOOK, ""))
    proposed = library.alembic("check", fails=True)
    assert "remove_column" in proposed
    assert "'tenant_id'" in proposed


def release(library: Library) -> None:
    """Generate the release, complete it as frameworks.md describes, and run it."""
    library.edit("models.py", *CHANGES)
    changes = library.revise("second", "--autogenerate")
    # The revision contains only the models' changes, among them the dropped key on email and the loan's changed key.
    upgrade = (library.directory / changes).read_text().partition("def upgrade")[2].partition("def downgrade")[0]
    assert "tenant_id" not in upgrade
    assert sorted(re.findall(r"^    op\.\w+", upgrade, re.MULTILINE)) == [
        "    op.add_column", "    op.add_column", "    op.create_foreign_key", "    op.create_foreign_key",
        "    op.create_table", "    op.create_unique_constraint", "    op.drop_constraint", "    op.drop_constraint",
    ]  # fmt: skip
    named = {block.strip().split("(")[0]: block for block in blocks("Alembic")}
    library.edit(
        changes,
        ("    op.create_unique_constraint('one_shelf', 'books', ['shelf'])\n", named["op.create_unique_constraint"]),
        (
            "    op.create_foreign_key('book_of_member', 'members', 'books', ['book_id'], ['id'])\n",
            named["here, there = "],
        ),
        ("import op\n", "import op\nfrom tenants import with_tenant\n"),
    )
    data = library.revise("cards")
    text = (library.directory / data).read_text().replace("    pass", named["add_tenant"], 1)
    library.add({data: text.replace("import op\n", "import op\nfrom tenants import add_tenant, each_tenant\n")})
    library.alembic("upgrade", "head", user=RELEASE)


def test_a_release_is_named_described_migrated_and_rolled_back(server: Server, library: Library) -> None:
    tenancy = migrated(library)
    release(library)
    owned = "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'release'::regrole AND deptype = 'o'"
    assert server.sql(owned, library.NAME) == [(0,)]
    cards = "SELECT c.tenant_id FROM cards c JOIN members m ON m.id = c.member_id AND m.tenant_id = c.tenant_id"
    assert server.sql(f"{cards} ORDER BY 1", library.NAME) == [(1,), (2,)]
    assert tenancy.left() == {
        ("foreign-key", "loan_of_member of public.loans"), ("relation-unlisted", "public.cards"),
        ("column-unlisted", "public.cards"),
    }  # fmt: skip
    said = [item["say"] for item in tenancy.adapt()]
    assert "members has no unique key (email): remove the key from natural_keys." in said
    next(entry for entry in tenancy.source["tables"] if entry["name"] == "members")["natural_keys"].remove(["email"])
    tenancy.migrate()
    assert "No new upgrade operations detected" in library.alembic("check")
    library.alembic("upgrade", "head", database=NEVER)
    column = "tenant_id integer NOT NULL DEFAULT nullif(current_setting('app.current_tenant', true), '')::integer"
    server.sql(f"ALTER TABLE cards ADD COLUMN {column}", NEVER)
    assert tenancy.roll_back().splitlines() == dumped(server, NEVER).replace(NEVER, library.NAME).splitlines()


def test_a_data_migration_under_the_services_login_fails(library: Library) -> None:
    migrated(library)
    data = library.revise("names")
    work = '    for _ in each_tenant(op.get_bind(), "members"):\n        pass\n'
    text = (library.directory / data).read_text().replace("    pass", work, 1)
    library.add({data: text.replace("import op\n", "import op\nfrom tenants import each_tenant\n")})
    assert "row-level security" in library.alembic("upgrade", "head", fails=True)
    library.alembic("upgrade", "head", user=RELEASE)
