"""What went wrong, without what Ansible wraps around it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ENCRYPTED = (
    "A variable is encrypted, and no vault password was given that decrypts it (ansible-vault): add "
    "--ask-vault-pass or --vault-password-file with the right one."
)


def sentence(message: str) -> str:
    """Return the sentence in an error: PostgreSQL's without its SQL, the planner's without the filter's name."""
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
    return re.sub(r"(?s)^.*filter plugin '[\w.]+' failed: ", "", message).strip()


def of_failure(result: Mapping[str, Any]) -> str:
    """Return the sentence in the result of a failed task: what a program said, else what the module did."""
    return sentence(str(result.get("stderr") or result.get("msg", "no message")))
