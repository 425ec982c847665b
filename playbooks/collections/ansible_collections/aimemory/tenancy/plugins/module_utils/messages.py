"""What went wrong, without what Ansible wraps around it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ENCRYPTED = (
    "A variable is encrypted, and no vault password was given that decrypts it (ansible-vault): add "
    "--ask-vault-pass or --vault-password-file with the right one."
)

LEFT_OUT = "[left out; PostgreSQL's log has it]"
# Where PostgreSQL quotes rows in its errors. A value may hold anything: each goes to the last sign that could end it.
_VALUES = (
    re.compile(r"(?s)(Failing row contains )\(.*\)"),
    re.compile(
        r"(?s)(Key \(.*?\)=)\(.*\)(?= (?:already exists|is not present|is still referenced|is duplicated|conflicts))"
    ),
    re.compile(r"(?s)(COPY [^\n]+, line \d+(?:, column [^\n:]+)?: )\".*\""),
)


def without_values(message: str) -> str:
    """Return an error of PostgreSQL without the rows that it quotes: they are what callers said."""
    for pattern in _VALUES:
        message = pattern.sub(lambda found: found.group(1) + LEFT_OUT, message)
    return message


def sentence(message: str) -> str:
    """Return the sentence in an error: PostgreSQL's without SQL and rows, the planner's without the filter's name."""
    if "undecryptable variable" in message:
        return ENCRYPTED
    # ansible-core, of argument specs, and several of them in one message:
    # "Validation of arguments failed:\nargument 'a' is of type str and we were unable to convert to int: ..."
    message = message.replace("Validation of arguments failed:\n", "")
    message = re.sub(
        r"argument '(\w+)' is of type \w+ and we were unable to convert to (\w+):", r"\1 is no \2:", message
    )
    # community.postgresql: "Cannot execute SQL '<query>' <arguments>: <error>, query list: [<queries>]"
    if message.startswith("Cannot execute SQL '"):
        message = message.partition(", query list: ")[0]
        message = re.sub(r"(?s)^.*' (?:None|\{.*?\}|\[.*?\]|\(.*?\)): ", "", message)
        message = message.partition("\nCONTEXT:")[0]
    # ansible-core: "The filter plugin 'aimemory.tenancy.tenancy_plan' failed: [1] ..."
    return without_values(re.sub(r"(?s)^.*filter plugin '[\w.]+' failed: ", "", message).strip())


def of_failure(result: Mapping[str, Any]) -> str:
    """Return the sentence in the result of a failed task: what a program said, else what the module did."""
    return sentence(str(result.get("stderr") or result.get("msg", "no message")))
