"""What went wrong, without what Ansible wraps around it."""

from __future__ import annotations

import re


def sentence(message: str) -> str:
    """Return the sentence in an error: PostgreSQL's without its SQL, the planner's without the filter's name."""
    # community.postgresql: "Cannot execute SQL '<query>' <arguments>: <error>, query list: [<queries>]"
    if message.startswith("Cannot execute SQL '"):
        message = message.partition(", query list: ")[0]
        message = re.sub(r"(?s)^.*' (?:None|\{.*?\}|\[.*?\]|\(.*?\)): ", "", message)
        message = message.partition("\nCONTEXT:")[0]
    # ansible-core: "The filter plugin 'aimemory.tenancy.tenancy_plan' failed: [1] ..."
    return re.sub(r"(?s)^.*filter plugin '[\w.]+' failed: ", "", message).strip()
