#!/usr/bin/python
"""Take or release the lock that allows only one run at a time to change a database."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages, run_lock, sessions, witness

DOCUMENTATION = r"""
module: run_lock
short_description: Take or release the lock that allows only one run at a time to change a database
description:
  - The lock is a symbolic link whose target names the holder.
  - Another holder's lock is removed only if O(break_lock) is set and the server has no session of a run.
  - The outcome is returned as data; the task fails only on an unexpected error. Runs as root.
options:
  path:
    description: The symbolic link.
    type: path
    required: true
  text:
    description: The holder that takes or releases the lock. Without O(break_lock), another holder's lock is kept.
    type: str
    required: true
  state:
    description: V(taken) takes the lock, V(released) releases it.
    type: str
    choices: [taken, released]
    required: true
  break_lock:
    description: Whether the lock of a lost run is removed first.
    type: bool
    default: false
  port:
    description: Port in the name of the server's socket; the server is queried for sessions of a run.
    type: int
    required: true
  user:
    description: System user that connects to the database, as the role of the same name.
    type: str
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Take the lock
  become: true
  aimemory.tenancy.run_lock:
    path: /run/tenancy-ai_memory.lock
    text: alice on laptop, run 20260101T000000Z (migrate), since 2026-01-01 00:00:00 UTC
    state: taken
    port: 5432
    user: postgres
"""

RETURN = r"""
held:
  description: Whether the lock is held under O(text) after the call.
  returned: success
  type: bool
text:
  description: The value of O(text).
  returned: success
  type: str
holder:
  description: The earlier holder of the lock, or "" if it was free.
  returned: success
  type: str
broken:
  description: Whether the earlier holder's lock was removed.
  returned: success
  type: bool
alive:
  description: Sessions of a run that prevented the removal - pid (of the first) and names; empty if there is none.
  returned: success
  type: dict
problem:
  description: The reason if the lock cannot be taken, broken or released, or "" if its holder is the only reason.
  returned: success
  type: str
"""


def lock(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the state of the lock after the call (see RETURN)."""
    path, text = wanted["path"], wanted["text"]
    found = {"held": False, "text": text, "holder": run_lock.holder(path), "broken": False, "alive": {}, "problem": ""}
    try:
        if wanted["state"] == "released":
            # If the release fails, the lock is still held.
            found["held"] = found["holder"] == text
            found["held"] = found["held"] and not run_lock.release(path, text)
            return found
        if wanted["break_lock"]:
            found["alive"] = _alive(wanted)
            if found["alive"]:
                return found
            found["broken"] = bool(found["holder"]) and run_lock.release(path, found["holder"])
        run_lock.take(path, text)
        found["held"] = True
    except FileExistsError as error:
        found["holder"] = run_lock.holder(path)
        found["problem"] = "" if found["holder"] else str(error)
    except witness.DOES_NOT_ANSWER as error:
        found["problem"] = messages.of_database(error)
    return found


def _alive(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the sessions of runs. Raises the errors in DOES_NOT_ANSWER."""
    opened = sessions.opened(wanted["user"], "postgres", wanted["port"], kind="reading")
    with opened as connection, connection.cursor() as cursor:
        return run_lock.sessions_alive(cursor)


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True}, "text": text,
            "state": {"type": "str", "choices": ["taken", "released"], "required": True},
            "break_lock": {"type": "bool", "default": False}, "port": {"type": "int", "required": True}, "user": text,
        },
    )  # fmt: skip
    # The lock does not count as a change by the run.
    module.exit_json(changed=False, **lock(module.params))


if __name__ == "__main__":
    main()
