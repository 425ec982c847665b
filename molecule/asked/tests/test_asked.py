"""A run finds the service's database by the service's sessions, its environment, and its route to PostgreSQL."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Callable, Iterator

import pytest

from lab import MIGRATE, OWNER, Host
from pooler import PASSWORD
from running import (
    CHECK,
    CODE,
    ENVIRONMENT,
    VERIFY,
    accepted,
    code,
    file,
    put_back,
    refused,
    second_session,
    sets,
    unit,
    url,
)

pytestmark = pytest.mark.wide

OTHER_FILE = "/etc/ai-memory.env"
TWO = "ai_memory_two"
RESET = "EnvironmentFile="
GUNICORN = "gunicorn --bind 127.0.0.1:8100 --worker-class uvicorn.workers.UvicornWorker app:app"


@pytest.fixture(scope="module", autouse=True)
def two(machine: Host) -> Iterator[None]:
    """Start with a fresh database, and create a second database that the service could use."""
    machine.reset()
    machine.sql(f"CREATE DATABASE {TWO} TEMPLATE ai_memory_template OWNER {OWNER}", database="postgres")
    yield
    machine.reset()


@pytest.fixture(autouse=True)
def service(machine: Host) -> Iterator[None]:
    """At the end, restore the service to its installed state."""
    yield
    put_back(machine)


@pytest.mark.sample
def test_another_file_of_the_unit_is_found(machine: Host) -> None:
    settings = f"{RESET}\nEnvironmentFile={OTHER_FILE}"
    text = f"DATABASE_URL={url(TWO)}\n"
    with file(machine, OTHER_FILE, text), unit(machine, settings):
        refused(
            machine, f"ai-memory works in {TWO} as {OWNER} (gunicorn), not in ai_memory on this server",
            f"DATABASE_URL in {ENVIRONMENT} leads to ai_memory on localhost:5432 as {OWNER}",
            f"leads to {TWO} on localhost:5432 as {OWNER}. ", playbooks=(MIGRATE, VERIFY),
        )  # fmt: skip


def test_another_login_is_found(machine: Host) -> None:
    text = f"DATABASE_URL={url(user='postgres')}\n"
    with file(machine, OTHER_FILE, text), unit(machine, f"{RESET}\nEnvironmentFile={OTHER_FILE}"):
        refused(
            machine, "leads to ai_memory on localhost:5432 as postgres, but DATABASE_URL in",
            f"{ENVIRONMENT} leads to ai_memory on localhost:5432 as {OWNER} instead: restart ai-memory if the second",
            playbooks=(MIGRATE, VERIFY),
        )  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        f"{RESET}\nEnvironment='DATABASE_URL={url(TWO).replace('%', '%%')}'",
        f"{RESET}\nPassEnvironment=DATABASE_URL",
        f"ExecStart=\nExecStart=/usr/bin/env 'DATABASE_URL={url(TWO).replace('%', '%%')}' {GUNICORN}",
    ],
    ids=["environment", "pass", "env"],
)
def test_every_source_of_the_environment_is_found(machine: Host, settings: str) -> None:
    passed = "PassEnvironment" in settings
    if passed:
        machine.run("sudo sh -c 'systemctl set-environment \"DATABASE_URL=$(cat)\"'", given=url(TWO))
    try:
        with unit(machine, settings):
            refused(machine, f"works in {TWO} as {OWNER}", ENVIRONMENT, " leads to ai_memory on localhost:5432")
    finally:
        machine.run("sudo systemctl unset-environment DATABASE_URL")


def test_what_the_next_start_brings_is_found(machine: Host) -> None:
    text = f"DATABASE_URL={url(TWO)}\n"
    settings = f"{RESET}\nEnvironmentFile={OTHER_FILE}"
    with file(machine, OTHER_FILE, text), unit(machine, settings, restart=False):
        refused(
            machine, "leads to ai_memory on localhost:5432 as alice, but DATABASE_URL in",
            f"the environment of its next start ({OTHER_FILE}) leads to {TWO} on",
        )  # fmt: skip


def test_a_file_of_the_unit_that_is_missing_is_found(machine: Host) -> None:
    with unit(machine, "EnvironmentFile=/etc/nothing.env", restart=False):
        refused(machine, "at its next start is unknown (/etc/nothing.env: No such file or directory)")


def test_another_password_is_found(machine: Host) -> None:
    other = url().replace("p%40ss", "other")
    with file(machine, ENVIRONMENT, f"DATABASE_URL={other}\n"):
        run = refused(machine, f"{ENVIRONMENT}) leads to ai_memory on localhost:5432 as alice with another password")
    assert "other%2Fw" not in run.output


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (url(TWO), f"ai-memory works in {TWO} as {OWNER} (gunicorn), not in ai_memory on this server"),
        (url(user="postgres"), "ai-memory works in ai_memory as postgres (gunicorn), but DATABASE_URL in"),
    ],
    ids=["database", "login"],
)
def test_what_the_code_sets_itself_is_found(machine: Host, value: str, sentence: str) -> None:
    with code(machine, sets(value)) as settings, unit(machine, settings):
        refused(machine, sentence, playbooks=(CHECK, VERIFY))


def test_a_session_that_is_opened_late_is_waited_for(machine: Host) -> None:
    # Terminate the service's sessions. The service opens a new session at the next request.
    def ended(host: Host) -> None:
        host.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{OWNER}'")

    with code(machine, sets(url(TWO))) as settings, unit(machine, settings):
        ended(machine)
        refused(machine, f"ai-memory works in {TWO} as {OWNER} (gunicorn)")


def test_a_file_that_the_code_reads_is_to_be_named(machine: Host) -> None:
    secret = "/etc/ai-memory.url"
    program = f"os.environ['DATABASE_URL'] = open({secret!r}).read().strip()"
    with (
        file(machine, secret, url() + "\n"),
        file(machine, ENVIRONMENT, "AI_MEMORY_RELEASE=legacy\n"),
        code(machine, program) as settings,
        unit(machine, f"{RESET}\n{settings}"),
    ):
        refused(
            machine, "Neither the sessions nor the environment of ai-memory show its DATABASE_URL (it has sessions,",
            f"DATABASE_URL is not set in {ENVIRONMENT}): set the file that its code reads with -e service_databa",
        )  # fmt: skip
        accepted(machine, f"-eservice_database_url_file={secret}")


def test_a_file_that_sessions_confirm_is_believed(machine: Host) -> None:
    program = f"os.environ['DATABASE_URL'] = open({ENVIRONMENT!r}).read().split('DATABASE_URL=')[1].strip()"
    with code(machine, program) as settings, unit(machine, f"{RESET}\n{settings}"):
        accepted(machine)


def test_a_file_that_nothing_confirms_is_not_believed(machine: Host) -> None:
    # This program answers the health check without a database session.
    settings = (
        f"{RESET}\nExecStart=\nExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory {CODE} 8100"
    )
    with code(machine, "") as _, unit_that_serves(machine, settings):
        refused(
            machine, "it has no session, not even after a health check, its environment does not set it, and"
            f" nothing shows that it reads {ENVIRONMENT}): set the file", playbooks=(CHECK,),
        )  # fmt: skip


def opens_for_each_request(value: str) -> str:
    """Return a program that makes the service open a connection for each request and close it after the response."""
    return (
        "import sys\n"
        "if 'gunicorn' in ' '.join(sys.orig_argv):\n"
        f"    {sets(value)}\n"
        "    import psycopg2\n"
        "    connect = psycopg2.connect\n"
        "    class Once:\n"
        "        autocommit, closed = True, False\n"
        "        def cursor(self, **options):\n"
        "            connection = connect(self.url)\n"
        "            connection.autocommit = True\n"
        "            cursor = connection.cursor(**options)\n"
        "            class Closing:\n"
        "                def __enter__(self):\n"
        "                    return cursor\n"
        "                def __exit__(self, *error):\n"
        "                    connection.close()\n"
        "            return Closing()\n"
        "    def opened(url):\n"
        "        once = Once()\n"
        "        once.url = url\n"
        "        return once\n"
        "    psycopg2.connect = opened\n"
    )


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (url(user="postgres"), "ai-memory works in ai_memory as postgres (gunicorn), but DATABASE_URL in"),
        (url(TWO), f"ai-memory works in {TWO} as {OWNER} (gunicorn), not in ai_memory on this server"),
    ],
    ids=["login", "database"],
)
def test_a_connection_for_each_request_is_seen_before_the_stop(machine: Host, value: str, sentence: str) -> None:
    # The session is detected during the health check, or otherwise while the service stores a memory.
    with code(machine, opens_for_each_request(value)) as settings, unit(machine, settings):
        before = machine.rows()
        run = machine.playbook(*MIGRATE, check=False)
        assert sentence in run.words, run.output
        assert run.record["outcome"] != "SUCCESS"
        assert machine.rows() == before
        assert machine.run("systemctl is-active ai-memory").strip() == "active"


def test_a_connection_for_each_request_confirms_what_it_should(machine: Host) -> None:
    with code(machine, opens_for_each_request(url())) as settings, unit(machine, settings):
        accepted(machine)
        try:
            assert machine.playbook(*MIGRATE).record["outcome"] == "SUCCESS"
        finally:
            machine.reset()
            machine.sql(f"CREATE DATABASE {TWO} TEMPLATE ai_memory_template OWNER {OWNER}", database="postgres")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("-c app.current_tenant=2", "starts with app.current_tenant = 2, so every session has a tenant"),
        ("-c row_security=of", "starts with row_security = off, so queries fail if policies filter their rows"),
        ("-c default_transaction_read_only=on", "default_transaction_read_only = on, so it cannot store anything"),
    ],
    ids=["tenant", "row-security", "read-only"],
)
def test_settings_of_the_environment_are_refused(machine: Host, options: str, sentence: str) -> None:
    with file(machine, ENVIRONMENT, f"DATABASE_URL={url()}\nPGOPTIONS={options}\n"), unit(machine, ""):
        refused(machine, sentence, "remove it from PGOPTIONS in the service s environment.", playbooks=(CHECK, VERIFY))


def test_what_libpq_reads_in_the_environment_is_used(machine: Host) -> None:
    short = f"postgresql://{OWNER}@/ai_memory"
    given = f"DATABASE_URL={short}\nPGHOST=localhost\nPGPASSWORD={PASSWORD}\n"
    with file(machine, ENVIRONMENT, given), unit(machine, ""):
        run = accepted(machine, "-vvv")
        assert PASSWORD not in run.output
        try:
            run = machine.playbook(*MIGRATE)
            assert run.record["outcome"] == "SUCCESS"
            assert all(PASSWORD not in text for text in (run.output, *run.files().values()))
        finally:
            machine.reset()
            machine.sql(f"CREATE DATABASE {TWO} TEMPLATE ai_memory_template OWNER {OWNER}", database="postgres")


@contextlib.contextmanager
def unit_that_serves(machine: Host, settings: str) -> Iterator[None]:
    """Temporarily run the unit with ``settings``, which start a web server that answers health checks from a file."""
    machine.run(f"sudo sh -c 'echo healthy > {CODE}/health'")
    with unit(machine, settings):
        yield


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            url(user="postgres"),
            "also works in ai_memory as postgres (python3), a role that reaches the tenant tables: no policy covers",
        ),
        (url(TWO), ""),
    ],
    ids=["role", "database"],
)
def test_a_further_session_is_named_and_refused_if_it_reaches_the_tables(
    machine: Host, value: str, sentence: str
) -> None:
    with second_session(machine, value) as settings, unit(machine, settings):
        if sentence:
            refused(machine, sentence)
        else:
            assert f"NOTE ai-memory also works in {TWO} as {OWNER} (python3)." in accepted(machine).words


@contextlib.contextmanager
def over_socket(machine: Host) -> Iterator[str]:
    """Allow the service's role to log in over the Unix socket, and yield the socket as a part of a DATABASE_URL."""
    hba = machine.sql("SHOW hba_file")[0][0]
    machine.run(f"sudo sed -i '1i local all {OWNER} scram-sha-256' {hba}")
    machine.sql("SELECT pg_reload_conf()")
    try:
        yield "?host=/run/postgresql"
    finally:
        machine.run(f"sudo sed -i 1d {hba}")
        machine.sql("SELECT pg_reload_conf()")


@contextlib.contextmanager
def over_ipv6(machine: Host) -> Iterator[str]:
    """Make PostgreSQL listen on every address, and yield its IPv6 address and port."""
    machine.sql("ALTER SYSTEM SET listen_addresses = '*'")
    machine.run("sudo systemctl restart postgresql")
    try:
        yield "[::1]:5432"
    finally:
        machine.sql("ALTER SYSTEM RESET listen_addresses")
        machine.run("sudo systemctl restart postgresql")


@pytest.mark.parametrize("way", [over_socket, over_ipv6])
def test_sessions_of_every_kind_are_found(
    machine: Host, way: Callable[[Host], contextlib.AbstractContextManager[str]]
) -> None:
    with way(machine) as where, file(machine, ENVIRONMENT, f"DATABASE_URL={url(where=where)}\n"), unit(machine, ""):
        accepted(machine)
        with code(machine, sets(url(TWO, where=where))) as settings, unit(machine, settings):
            refused(machine, f"ai-memory works in {TWO} as {OWNER} (gunicorn), not in ai_memory")


def test_a_stopped_unit_is_asked_for_its_next_start(machine: Host) -> None:
    backup = ("playbooks/backup.yml", "-ebackup_test_restore=false", "-ebackup_copy_max_bytes=0")
    text = f"DATABASE_URL={url(TWO)}\n"
    settings = f"{RESET}\nEnvironmentFile={OTHER_FILE}"
    with file(machine, OTHER_FILE, text), unit(machine, settings, restart=False):
        machine.run("sudo systemctl stop ai-memory")
        refused(
            machine, f"the environment of its next start ({OTHER_FILE}) leads to {TWO} on localhost:5432 as ali",
            playbooks=(VERIFY, backup),
        )  # fmt: skip
    machine.run("sudo systemctl stop ai-memory")
    try:
        assert machine.playbook(*backup).record["outcome"] == "SUCCESS"
    finally:
        machine.run("sudo systemctl start ai-memory")
        machine.wait_until_healthy()


@contextlib.contextmanager
def another_server(machine: Host) -> Iterator[str]:
    """Run a second PostgreSQL server on port 5433, with the service's role and a database with the same name."""
    version = machine.run("ls /etc/postgresql").split()[0]
    machine.run(f"sudo pg_createcluster {version} test --port 5433 --start -- --no-sync")
    try:
        psql = "sudo -u postgres psql --no-psqlrc --quiet --port=5433 --set=ON_ERROR_STOP=1"
        machine.run(
            psql, given=f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}';\nCREATE DATABASE ai_memory OWNER {OWNER};\n"
        )
        yield "localhost:5433"
    finally:
        machine.run(f"sudo pg_dropcluster --stop {version} test")


def test_another_server_is_found(machine: Host) -> None:
    with another_server(machine) as where:
        with code(machine, sets(url(where=where))) as settings, unit(machine, settings):
            refused(
                machine, "ai-memory works on another server: gunicorn (", "is connected to 127.0.0.1:5433, where",
                f"{ENVIRONMENT}) leads to ai_memory on localhost:5432",
            )  # fmt: skip
        with file(machine, ENVIRONMENT, f"DATABASE_URL={url(where=where)}\n"), unit(machine, ""):
            refused(
                machine, "The service s own route (localhost, port 5433) leads to a different server than this run (",
            )  # fmt: skip
        with second_session(machine, url(where=where)) as settings, unit(machine, settings):
            words = accepted(machine).words
            assert "NOTE ai-memory also works on another server: python3 (" in words


def test_settings_that_make_the_login_another_role_are_refused(machine: Host) -> None:
    machine.sql("CREATE ROLE app_rw")
    machine.sql(f"GRANT app_rw TO {OWNER}")
    try:
        machine.sql(f"ALTER ROLE {OWNER} IN DATABASE ai_memory SET role = 'app_rw'")
        refused(machine, f"DATABASE_URL names {OWNER}, but over the service s own route", "the service works as app_rw")
    finally:
        machine.sql(f"ALTER ROLE {OWNER} IN DATABASE ai_memory RESET role")
        machine.sql("DROP ROLE app_rw")


def test_it_is_asked_again_after_the_start(machine: Host) -> None:
    # From the service's second start on, its code opens an additional session.
    program = (
        f"path = '{CODE}/started'\n"
        f"if os.environ.get('INVOCATION_ID') != open(path).read() if os.path.exists(path) else False:\n"
        f"    import psycopg2\n    also = psycopg2.connect({url(user='postgres')!r})\n"
        "elif 'INVOCATION_ID' in os.environ:\n"
        "    open(path, 'w').write(os.environ['INVOCATION_ID'])"
    )
    try:
        with code(machine, program) as settings, unit(machine, settings):
            run = machine.playbook(*MIGRATE, check=False)
            assert run.record["failure"]["phase"] == "journal", run.output
            assert "After the start: ai-memory also works in ai_memory as postgres (" in run.words
            assert "a role that reaches the tenant tables" in run.words
            assert run.record["outcome"] != "SUCCESS"
    finally:
        machine.reset()
        machine.sql(f"CREATE DATABASE {TWO} TEMPLATE ai_memory_template OWNER {OWNER}", database="postgres")


def test_no_output_contains_the_password(machine: Host) -> None:
    run = machine.playbook(*CHECK, "-vvv")
    with code(machine, sets(url(TWO))) as settings, unit(machine, settings):
        other = machine.playbook(*CHECK, "-vvv", check=False)
    for text in (run.output, other.output, *run.files().values(), *other.files().values()):
        assert PASSWORD not in text
        assert urllib.parse.quote(PASSWORD, safe="") not in text
        # DATABASE_URL in Base64, the encoding in which the module returns files.
        assert "REFUQUJBU0VfVVJM" not in text
