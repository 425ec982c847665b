"""The options of the modules that send requests to a service's API.

They are not in api.py, because api.py needs psycopg2, and service_witness must also run on a host without psycopg2.
"""

from __future__ import annotations

from typing import Any

# The options of every module that makes requests.
OPTIONS: dict[str, dict[str, Any]] = {
    "unit": {"type": "str", "required": True}, "url": {"type": "str", "required": True},
    "timeout": {"type": "int", "required": True},
    # The task is not logged. With no_log, Ansible would mask each header value in every result, even if the value is an
    # ordinary word.
    "headers": {"type": "dict", "default": {}, "no_log": False},
    "secret": {"type": "str", "default": "", "no_log": False}, "seconds": {"type": "int", "default": 300},
    "file": {"type": "str", "default": ""}, "names": {"type": "dict", "required": True},
}  # fmt: skip
# The options for one request.
REQUEST: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True}, "method": {"type": "str", "default": "GET"},
    "path": {"type": "str", "required": True}, "body": {"type": "dict"}, "claims": {"type": "dict"},
    "marker": {"type": "str", "default": ""},
}  # fmt: skip
