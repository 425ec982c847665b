"""Write refusals.md from the assertions in playbooks and roles, and from the errors in the collection's code."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2 import nodes

from variables import ROLES, ROOT

PAGE = ROOT / "docs/refusals.md"
HEAD = """# Every message that ends a run

Each message says what is wrong and what to do. If a message gives no remedy, this page adds one in italics. `…` stands
for names, numbers and the output of programs. A run that ends before the phase *cutover* or *stop* does not affect
callers. Messages from these phases onward also describe the state of the database and the service ([when something
fails](../README.md#when-something-fails)). [Troubleshooting](troubleshooting.md) explains the most common messages.

`make docs` generates this page from the playbooks, the roles and the collection. This page omits the messages of
PostgreSQL, SSH and Ansible. It also omits errors in the value of a single variable, because
[variables](variables.md) describes the valid values.
"""
GAP = "…"
TASKS = {
    "Before anything else": ("playbooks/checkout.yml", "playbooks/tasks/connect.yml", "playbooks/rollback.yml"),
    **{role: (f"roles/{role}/tasks",) for role in ROLES if (ROOT / f"roles/{role}/tasks").is_dir()},
}
UTILITIES, MODULES, ACTIONS = (ROOT / "plugins" / name for name in ("module_utils", "modules", "action"))
LAPTOP = ROOT / "plugins/plugin_utils"
HOST = ("api", "journal", "processes", "sockets", "smoke", "smoke_rows", "smoke_run", "witness")


def _of_the_laptop(*packages: str) -> list[Path]:
    """Return the Python files in these packages of plugin_utils."""
    return [file for package in packages for file in sorted((LAPTOP / package).glob("*.py"))]


PYTHON = {
    "Encrypted variables": [UTILITIES / "messages.py"],
    "The model (`tenancy_*`)": [*_of_the_laptop("model"), UTILITIES / "quoting.py"],
    "`DATABASE_URL`": [LAPTOP / "service/database_url.py"],
    "Which database the service uses": [
        LAPTOP / f"service/{name}.py" for name in ("asked", "found", "route", "tried", "working")
    ],
    "The host, its PostgreSQL and the lock": [LAPTOP / "host/refusals.py"],
    "The renewal of the service's sessions": [
        UTILITIES / f"{name}.py"
        for name in ("renewability", "renewal", "gunicorn", "trial", "renewer", "reached_workers")
    ],
    "What cannot be described": _of_the_laptop("describe"),
    "What cannot be planned": _of_the_laptop("catalog", "changes", "proof", "audit"),
    "What cannot be backed up": [UTILITIES / f"{name}.py" for name in ("dumping", "backups", "age")],
    "What cannot be restored or rehearsed": [
        UTILITIES / f"{name}.py" for name in ("toc", "restoring", "throwaway", "restored_copy", "rehearsal")
    ],
    "Within the transaction": [UTILITIES / f"{name}.py" for name in ("transaction", "outcomes", "sessions")],
    "On the server": [*sorted(MODULES.glob("*.py")), *(UTILITIES / f"{name}.py" for name in HOST)],
    "On this machine": [*sorted(ACTIONS.glob("*.py")), ROOT / "plugins/lookup/logged_backups.py"],
    "How the playbook is called": [ROOT / "plugins/filter/run.py"],
}
SQL = {
    "In SQL files": [
        *sorted(ROOT.glob("roles/*/files/*.sql")),
        *sorted(LAPTOP.glob("*/*.sql")),
        *sorted(ROOT.glob("files/*.sql")),
    ]
}
RAISED = re.compile(r"\bRAISE\s+(?:EXCEPTION\s+)?(?:USING\s+MESSAGE\s*=\s*)?'((?:[^']|'')*)'")
FAILING = ("ansible.builtin.assert", "ansible.builtin.fail")
GUARD = (
    "This check guards against a bug in this runbook: report the bug, with the archive that `playbooks/support.yml` "
    "writes."
)
UNREHEARSED = (
    "The real database was not touched. Do not migrate until you understand the difference. If you ask for help, send "
    "the archive that `playbooks/support.yml` writes."
)
# The remedies for messages that contain no remedy, by the beginning of the message.
REMEDIES = {
    "The journal shows failures": (
        "The service is running on the changed database. Read the lines. If callers are affected, roll back. If the "
        "lines are harmless, confirm with `playbooks/verify.yml` that the run is complete."
    ),
    "The API shows less than before": (
        "The change was rolled back. Check which role and setting the service uses, and whether its rows belong to the "
        "default tenant."
    ),
    "The environment of … cannot be read": "Fix the problem that systemctl names, and run again.",
    "The API responded, but": (
        "The service's journal shows the cause. If this release does not accept the request, correct `service_smoke_*`."
    ),
    "The API showed another tenant": (
        "The bridge has been restored. Deploy a release that sets the tenant in every request, and run the playbook "
        "again."
    ),
    "… of … findings do not hold": (
        "Run the playbook that made the change again, with `--check` first: the dry run shows the missing statements. "
        "For a finding of [the audit](audit.md), see the remedy of its rule. If callers are affected in the meantime, "
        "roll back."
    ),
    "The original schema was not fully restored": (
        "`rollback.yml -e rollback_mode=schema --check` shows the remaining statements, or the obstacles; "
        "`rollback_mode=restore` restores the backup."
    ),
    "The migrated copy": UNREHEARSED,
    "The rollback does not restore": UNREHEARSED,
    "Migration and rollback changed": UNREHEARSED,
    "The encrypted backup": "Check that `age` works on the server and that there is disk space, and run again.",
    "The backup cannot be encrypted": (
        "Check that `age` works on the server and that there is disk space, and run again."
    ),
    "age-keygen cannot read the backup key": "Correct `backup_age_identity`: use a key that `age-keygen` printed.",
    "The backup cannot be read": "Fix the named problem, or name another backup with `-e restore_backup=...`.",
    "The backup cannot be copied": (
        "The backup on the server is complete. Free up space in the login's home directory, or prevent a copy of that "
        "size with "
        "`-e backup_copy_max_bytes=...`."
    ),
    "The copy on this machine failed": (
        "The backup on the server is complete. Free up space on this machine, or choose another directory with "
        "`-e backup_copy_directory=...`."
    ),
    "The backup failed": (
        "This run changed no table. Fix the problem that the message names (disk space, privileges, an object that "
        "cannot be dumped), and run again."
    ),
    "The restore failed": (
        "The database is unchanged, and the service is running. Fix the named problem (often disk space), or specify "
        "another backup "
        "with `-e restore_backup=...`."
    ),
    "… is the real database": GUARD,
    "The restored copy": (
        "Run again; if you specified a backup, specify another one. If the message appears again, check the disk and "
        "the memory."
    ),
    "The throwaway server did not start": (
        "Nothing was changed. The message ends with the last lines of the server's log. Fix the problem that they show "
        "(disk space, memory), and run again."
    ),
    "The program that serves": "Correct `database_admin_user`: it must be the system user that the server runs as.",
    "systemd does not start": "Nothing was changed. `journalctl -e` on the server shows the cause.",
    "The system user": (
        "Remove the user from its groups, or set `-e rehearse_system_user=...` to another name. The run creates that "
        "user."
    ),
    "No pg_restore on this server": "Install the client programs of the PostgreSQL version that made the dump.",
    "The dump contains an object that this runbook": (
        "Report the message, with the line that it names. Meanwhile, restore the dump manually."
    ),
    "The test restore failed": "This run changed no table. Fix the named problem (often disk space), and run again.",
    "Table ….… does not exist": "Correct `tenancy_tables`, or restore the table with `rollback_mode=restore`.",
    "…, but … was not healthy": "`systemctl status` and the service's journal show the cause.",
    "… was stopped, but": "End those processes, which systemd did not stop with the unit. Then run again.",
    "After the start: …": (
        "The change is committed. Fix the named problem, restart the service, and run `playbooks/verify.yml`."
    ),
    "The service cannot be inspected": "Fix the named problem, and run again.",
    "PostgreSQL on … did not answer for": (
        "If the message mentions psycopg2, install it: `apt-get install python3-psycopg2`."
    ),
    "The check of the service's route failed": "Fix the named problem, and run again.",
    "The service's route was not tested": GUARD,
    "The job's file no longer exists": "Run again: the run removes the leftovers of the lost job.",
    "No attempt was given": GUARD,
    "The search for other clients failed": "Nothing was changed. Fix the named problem, and run again.",
    "The rows of … cannot be counted": "Fix the problem that PostgreSQL names, and run again.",
    "The dump lacks the rows of …, so it was removed": (
        "pg_dump omitted tables, as it does with tables of an extension. Run again; if the message appears again, "
        "check to which extension the tables belong."
    ),
    "… failed: …": "Fix the problem that the program names, and run again.",
    "The rows written since the dump": (
        "The database is migrated, and the service is running on it. Fix the problem that PostgreSQL names; then run "
        "`playbooks/verify.yml`, which makes the remaining checks."
    ),
    "journalctl cannot be started": "The service is running. Install systemd's journalctl, or read the logs yourself.",
    "The journal cannot be read": "The service is running. Fix the problem, and read the journal yourself.",
    "The catalogs of … cannot be read": "Nothing was changed. Fix the problem that PostgreSQL names, and run again.",
    "… cannot be read after the transaction": (
        "The transaction was committed. Fix the problem that PostgreSQL names; then run `playbooks/verify.yml`."
    ),
    "… cannot be read": "Correct `service_environment_file`, or the permissions of the file.",
    "A service_journal_* pattern": "Correct the pattern in the inventory.",
    "… already exists and was not overwritten": (
        "Run again: the name of a backup contains its time, so the next run chooses another name."
    ),
    "The dump failed": "Fix the problem that the message names (disk space, privileges), and run again.",
    "its lock was not free": (
        "End the named transaction, or migrate when there are fewer requests: `migrate.yml` continues with the "
        "remaining steps."
    ),
    "after … s there is still an obstacle": "Remove the named obstacle, or wait until it is gone. Then run again.",
    "…: …. … of … steps are done": "Fix the named problem, and run `migrate.yml` again: it continues from there.",
    "… cannot be written": (
        "Free up disk space or correct the permissions on this machine, or specify another directory. Use "
        "`-e report_directory=...` for a run's records and `-e support_directory=...` for the archive."
    ),
    "systemd did not set up the timer": "Nothing was stopped. Fix the problem that systemd names, and run again.",
    "systemctl cannot show": "Correct `service_name`, or fix the problem that systemctl names, and run again.",
    "… is no longer a table": "Wait until the other session has finished its schema change, and run again.",
    "The session of …": "Then run the playbook again.",
    "The session was lost during COMMIT": (
        "The run reads the database afterwards, and its last lines tell whether the change is committed. If it is, run "
        "`playbooks/verify.yml`."
    ),
    "… did not end within": (
        "The statement changed nothing. Check which trigger, CHECK or function of the tables does not return, or "
        "increase "
        "`tenancy_proof_timeout`, `tenancy_transaction_timeout` or `tenancy_online_step_timeout`."
    ),
    "The isolation proof failed": (
        "The transaction was rolled back. Each named attempt accessed a row of another tenant, or failed to access a "
        "row of its own tenant. Check that table's policies, triggers and privileges."
    ),
}


def _texts(node: nodes.Node) -> list[str]:
    """Return the possible values of a Jinja expression. A gap stands for each part that is known only at run time."""
    if isinstance(node, nodes.TemplateData):
        return [node.data]
    if isinstance(node, nodes.Const):
        return [str(node.value)]
    if isinstance(node, nodes.CondExpr):
        return [*_texts(node.expr1), *(_texts(node.expr2) if node.expr2 else [""])]
    if isinstance(node, (nodes.Concat, nodes.Output)):
        return ["".join(parts) for parts in itertools.product(*map(_texts, node.nodes))]
    return [GAP]


def _tidy(text: str) -> str:
    """Return a message on one line, with a single gap in place of adjacent gaps."""
    return re.sub(rf"({GAP}[\s/]*)+{GAP}", GAP, re.sub(r"\s+", " ", text)).strip()


def rendered(template: str) -> list[str]:
    """Return the possible messages of a Jinja template, each on one line."""
    parsed = jinja2.Environment(autoescape=True).parse(template)
    return [_tidy("".join(parts)) for parts in itertools.product(*map(_texts, parsed.body))]


def _templates(tasks: Any) -> Iterator[str]:
    """Yield, in order, the messages of plays that may have no hosts, and of tasks that fail or assert."""
    if isinstance(tasks, list):
        for task in tasks:
            yield from _templates(task)
    elif isinstance(tasks, dict):
        for variable in re.findall(r"undef\(hint=(\w+)\)", str(tasks.get("hosts", ""))):
            yield tasks["vars"][variable]
        for action in FAILING:
            if action in tasks:
                message = tasks[action].get("fail_msg", tasks[action].get("msg", ""))
                field = re.fullmatch(r"{{ item\.(\w+) }}", message)
                yield from (item[field.group(1)] for item in tasks["loop"]) if field else (message,)
        for part in ("pre_tasks", "tasks", "post_tasks", "block", "rescue", "always"):
            yield from _templates(tasks.get(part, []))


def _of_tasks(paths: tuple[str, ...]) -> Iterator[str]:
    for path in (ROOT / path for path in paths):
        for file in sorted(path.rglob("*.yml")) if path.is_dir() else [path]:
            for template in _templates(yaml.safe_load(file.read_text())):
                yield from rendered(template)


def _literal(node: ast.AST) -> str | None:
    """Return a string in the source, with gaps for its fields, or None for any other expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp):
        return "".join(_literal(side) or GAP for side in (node.left, node.right))
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
    return None


def _said(node: ast.AST) -> list[ast.expr]:
    """Return the expressions of the messages with which a statement or call ends the run."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return node.exc.args[:1]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fail_json":
        return [keyword.value for keyword in node.keywords if keyword.arg == "msg"]
    if isinstance(node, ast.Dict):
        # The result of an action plugin.
        entries = {_literal(key): value for key, value in zip(node.keys, node.values, strict=True) if key}
        return [entries["msg"]] if "failed" in entries and "msg" in entries else []
    return []


def of_python(files: list[Path]) -> Iterator[str]:
    """Yield the messages with which Python files end a run: those of errors and failures, and all other sentences."""
    for file in files:
        tree = ast.parse(file.read_text())
        documents = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and isinstance(node.body[0], ast.Expr)
        }
        # The parts of an f-string are not messages themselves.
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        said = {id(part) for node in ast.walk(tree) for part in _said(node)}
        for node in ast.walk(tree):
            text = None if id(node) in parts else _literal(node)
            # The code collects some messages before it raises them. Only their form shows that they are messages.
            if text is not None and (id(node) in said or (id(node) not in documents and is_message(_tidy(text)))):
                yield _tidy(text)


def of_sql(files: list[Path]) -> Iterator[str]:
    """Yield the messages that SQL files raise. Omit errors without a message, because the same file catches them."""
    for file in files:
        for text in RAISED.findall(file.read_text()):
            yield _tidy(re.sub("%%?", lambda sign: GAP if sign[0] == "%" else "%", text.replace("''", "'")))


def is_message(text: str) -> bool:
    """Return whether a string is a sentence for the operator."""
    return re.fullmatch(rf"[A-Z{GAP}].*[a-z].*[.]", text) is not None and len(text.split()) > 4


def sections() -> dict[str, list[str]]:
    """Return the messages by section: the name of a role, or a kind of message."""
    found = {name: list(_of_tasks(paths)) for name, paths in TASKS.items()}
    found |= {name: list(of_python(files)) for name, files in PYTHON.items()}
    found |= {name: list(of_sql(files)) for name, files in SQL.items()}
    return {
        name: [text for text in dict.fromkeys(messages) if text.strip(GAP + " .:")] for name, messages in found.items()
    }


def remedy(text: str) -> str:
    """Return the remedy for a message that does not contain one, or an empty string."""
    return next((remedy for beginning, remedy in REMEDIES.items() if text.startswith(beginning)), "")


def page() -> str:
    """Return the page as Markdown: a section for each role or kind, and a list item for each message."""
    lines = [HEAD.rstrip("\n")]
    for name, messages in sections().items():
        points = [
            f"* {text.replace('*', chr(92) + '*')}" + (f" *{remedy(text)}*" if remedy(text) else "")
            for text in messages
        ]
        lines += [f"\n## {name}\n", *points] if points else []
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
