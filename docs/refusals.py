"""Write refusals.md from the assertions of the playbooks and roles, and what the collection's Python and SQL raise."""

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
for names, numbers and the answers of programs. Callers notice nothing of a run that ends before the phase *stop*. Later
messages also describe the state of the database and the service ([when something
fails](../README.md#when-something-fails)). [Troubleshooting](troubleshooting.md) says more about the most common ones.

Written by `make docs` from the playbooks, the roles and the collection. PostgreSQL, SSH and Ansible have messages of
their own, which are not here. Nor are errors in the value of a single variable: [variables](variables.md) describes the
values.
"""
GAP = "…"
TASKS = {
    "Before anything else": ("playbooks/checkout.yml", "playbooks/rollback.yml"),
    **{role: (f"roles/{role}/tasks",) for role in ROLES},
}
UTILITIES, MODULES, ACTIONS = (ROOT / "plugins" / name for name in ("module_utils", "modules", "action"))
LAPTOP = ROOT / "plugins/plugin_utils"
HOST = ("api", "processes", "sockets", "smoke", "smoke_rows", "smoke_run")


def _of_the_laptop(*packages: str) -> list[Path]:
    """Return the files of packages of plugin_utils."""
    return [file for package in packages for file in sorted((LAPTOP / package).glob("*.py"))]


PYTHON = {
    "Encrypted variables": [UTILITIES / "messages.py"],
    "The model (`tenancy_*`)": [*_of_the_laptop("model"), UTILITIES / "quoting.py"],
    "`DATABASE_URL`": [LAPTOP / "service/database_url.py"],
    "Where the service works": [LAPTOP / f"service/{name}.py" for name in ("asked", "route", "tried")],
    "The host, its PostgreSQL and the lock": [LAPTOP / "host/refusals.py"],
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
    "In the files of SQL": [
        *sorted(ROOT.glob("roles/*/files/*.sql")),
        *sorted(LAPTOP.glob("*/*.sql")),
        *sorted(ROOT.glob("files/*.sql")),
    ]
}
RAISED = re.compile(r"\bRAISE\s+(?:EXCEPTION\s+)?(?:USING\s+MESSAGE\s*=\s*)?'((?:[^']|'')*)'")
FAILING = ("ansible.builtin.assert", "ansible.builtin.fail")
GUARD = "It keeps an error of this runbook from doing harm: report it, with the archive of `playbooks/support.yml`."
UNREHEARSED = (
    "The real database was not touched. Do not migrate before the difference is understood; the archive of "
    "`playbooks/support.yml` is for whoever helps."
)
# What to do about messages that do not say it themselves, by how they begin.
REMEDIES = {
    "The journal shows failures": (
        "The service runs on the changed database. Read the lines; if callers suffer, roll back; if they are harmless, "
        "the run is done: `playbooks/verify.yml` says so."
    ),
    "The API shows less than before": (
        "The change was taken back. See with which role and setting the service reads, and whether its rows are the "
        "default tenant's."
    ),
    "The environment of … cannot be read": "Mend what systemctl names, and run again.",
    "The API answered, but": (
        "The service's journal says why. If it is the request that this release does not take, correct "
        "`service_smoke_*`."
    ),
    "The API showed another tenant": (
        "The bridge is back. Deploy the release that names the tenant of every request, and run again."
    ),
    "… of … findings do not hold": (
        "The playbook that made the change plans what is missing when it is run again, with `--check` first; a rule of "
        "[the audit](audit.md) names its remedy. If callers suffer meanwhile, roll back."
    ),
    "The old schema did not come back": (
        "`rollback.yml -e rollback_mode=schema --check` shows what is left to do, or who stands in the way; "
        "`rollback_mode=restore` brings the backup."
    ),
    "The migrated copy": UNREHEARSED,
    "The way back does not bring": UNREHEARSED,
    "There and back changed": UNREHEARSED,
    "The encrypted backup": "See that `age` works on the server and its disk has room, and run again.",
    "The backup cannot be encrypted": "See that `age` works on the server and its disk has room, and run again.",
    "age-keygen makes nothing of the key": "Correct `backup_age_identity`, as `age-keygen` prints it.",
    "The backup cannot be read": "Mend what is named, or name another backup with `-e restore_backup=...`.",
    "The backup cannot be copied": (
        "The backup on the server is complete. Make room in the home of the login, or allow no copy of that size with "
        "`-e backup_copy_max_bytes=...`."
    ),
    "The copy on this machine failed": (
        "The backup on the server is complete. Make room on this machine, or name another directory with "
        "`-e backup_copy_directory=...`."
    ),
    "The backup failed": (
        "This run changed no table. Mend what is named (room, rights, what cannot be dumped), and run again."
    ),
    "The restore failed": (
        "The database is as it was, and the service runs. Mend what is named (often room), or name another backup with "
        "`-e restore_backup=...`."
    ),
    "… is the database itself": GUARD,
    "What was restored": "Run again, with another backup where one was named. If it stays so, look at disk and memory.",
    "The throwaway server did not start": (
        "Nothing was touched. Its last words stand behind it; mend what they name (room, memory), and run again."
    ),
    "It cannot be told which program": "Correct `database_admin_user`: the server runs as that system user.",
    "systemd does not start": "Nothing was touched. `journalctl -e` on the server says why.",
    "The system user": (
        "Remove its groups, or name another user, which the run creates, with `-e rehearse_system_user=...`."
    ),
    "No pg_restore of this server": "Install the client of the PostgreSQL that made the dump.",
    "The dump holds what this runbook": "Report it, with the line that it names; restore by hand meanwhile.",
    "The test restore failed": "This run changed no table. Mend what is named (often room), and run again.",
    "Table ….… does not exist": "Correct `tenancy_tables`, or bring the table back with `rollback_mode=restore`.",
    "… was started, but": "`systemctl status` and the service's journal say why.",
    "… was stopped, but": "End those processes: they were not started by the unit. Then run again.",
    "After the start: …": (
        "The change is committed. Correct what is named, restart the service, and run `playbooks/verify.yml`."
    ),
    "The service cannot be looked at": "Mend what is named, and run again.",
    "PostgreSQL on … did not answer for": "If it names psycopg2, install that: `apt-get install python3-psycopg2`.",
    "The service's route cannot be taken": "Mend what is named, and run again.",
    "The service's route was not taken": GUARD,
    "Nothing is known of the job": "Run again: what the lost job left is cleared.",
    "No attempt was given": GUARD,
    "Other clients cannot be looked for": "Nothing was touched. Mend what is named, and run again.",
    "The rows of … cannot be counted": "Mend what PostgreSQL names, and run again.",
    "The dump lacks the rows of …: it was not kept": (
        "pg_dump left tables out, as it does with those of an extension. Run again; if it stays so, see whose they are."
    ),
    "… failed: …": "Mend what the program names, and run again.",
    "What was written since the dump": (
        "The database is migrated, and the service runs on it. Mend what PostgreSQL names; then `playbooks/verify.yml` "
        "makes what is left of the run."
    ),
    "The journal cannot be read": "The service runs. Mend what journalctl names, and read the journal.",
    "… cannot be read": "Correct `service_environment_file`, or the file's rights.",
    "A service_journal_* pattern": "Correct it in the inventory.",
    "… exists already": "Run again: the name is the time.",
    "The dump failed": "Mend what is named (room, rights), and run again.",
    "its lock was not free": (
        "End the transaction that is named, or migrate when there is less to do: `migrate.yml` goes on from there."
    ),
    "after … s still …": "What is named stands in the way of a step: end it, or wait for its end. Then run again.",
    "…: …. … of … steps are done": "Mend what is named, and run `migrate.yml` again: it goes on from there.",
    "… cannot be written": (
        "Make room or correct the rights on this machine, or name another directory: `-e report_directory=...` for a "
        "run's records, `-e support_directory=...` for the archive."
    ),
    "systemd did not set up the timer": "Nothing was stopped. Mend what systemd names, and run again.",
    "systemd cannot be asked about": "Correct `service_name`, or mend what systemctl names, and run again.",
    "… is no table any more": "Let whoever changes the schema come to an end, and run again.",
    "The session of …": "Run again after that.",
    "… did not end within": (
        "Nothing was changed by it. See which trigger, CHECK or function of the tables does not return, or raise "
        "`tenancy_proof_timeout`, `tenancy_transaction_timeout` or `tenancy_online_step_timeout`."
    ),
    "The isolation proof failed": (
        "The transaction was taken back. Each attempt that is named reached what it must not, or did not reach its "
        "own: look at that table's policies, triggers and rights."
    ),
}


def _texts(node: nodes.Node) -> list[str]:
    """Return what a Jinja expression can become; whatever only the run knows is a gap."""
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
    """Return a message on one line, with one gap where several meet."""
    return re.sub(rf"({GAP}[\s/]*)+{GAP}", GAP, re.sub(r"\s+", " ", text)).strip()


def rendered(template: str) -> list[str]:
    """Return the messages that a Jinja template can become, each on one line."""
    parsed = jinja2.Environment(autoescape=True).parse(template)
    return [_tidy("".join(parts)) for parts in itertools.product(*map(_texts, parsed.body))]


def _templates(tasks: Any) -> Iterator[str]:
    """Yield the message of every play that has no hosts, and of every task that fails by an assertion, in order."""
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
    """Return a string of the source with gaps for its fields; nothing for another expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp):
        return "".join(_literal(side) or GAP for side in (node.left, node.right))
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
    return None


def _said(node: ast.AST) -> list[ast.expr]:
    """Return what a statement or call ends the run with."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return node.exc.args[:1]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fail_json":
        return [keyword.value for keyword in node.keywords if keyword.arg == "msg"]
    if isinstance(node, ast.Dict):
        # What an action returns.
        entries = {_literal(key): value for key, value in zip(node.keys, node.values, strict=True) if key}
        return [entries["msg"]] if "failed" in entries and "msg" in entries else []
    return []


def of_python(files: list[Path]) -> Iterator[str]:
    """Yield what Python files end a run with: what they raise or fail with, and every sentence."""
    for file in files:
        tree = ast.parse(file.read_text())
        documents = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and isinstance(node.body[0], ast.Expr)
        }
        # A part of a text is none of its own.
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        said = {id(part) for node in ast.walk(tree) for part in _said(node)}
        for node in ast.walk(tree):
            text = None if id(node) in parts else _literal(node)
            # Obstacles are collected before they are raised: they are known by their form alone.
            if text is not None and (id(node) in said or (id(node) not in documents and is_message(_tidy(text)))):
                yield _tidy(text)


def of_sql(files: list[Path]) -> Iterator[str]:
    """Yield what SQL files raise; a SQLSTATE alone is caught by the file itself."""
    for file in files:
        for text in RAISED.findall(file.read_text()):
            yield _tidy(re.sub("%%?", lambda sign: GAP if sign[0] == "%" else "%", text.replace("''", "'")))


def is_message(text: str) -> bool:
    """Say whether a text is a sentence for the operator."""
    return re.fullmatch(rf"[A-Z{GAP}].*[a-z].*[.]", text) is not None and len(text.split()) > 4


def sections() -> dict[str, list[str]]:
    """Return the messages of each role or kind."""
    found = {name: list(_of_tasks(paths)) for name, paths in TASKS.items()}
    found |= {name: list(of_python(files)) for name, files in PYTHON.items()}
    found |= {name: list(of_sql(files)) for name, files in SQL.items()}
    return {
        name: [text for text in dict.fromkeys(messages) if text.strip(GAP + " .:")] for name, messages in found.items()
    }


def remedy(text: str) -> str:
    """Return what to do about a message that does not say it itself; nothing for the others."""
    return next((remedy for beginning, remedy in REMEDIES.items() if text.startswith(beginning)), "")


def page() -> str:
    """Return the page as Markdown: a section a role or kind, one point a message."""
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
