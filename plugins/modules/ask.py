"""The documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ask
short_description: Ask the operator a question on the terminal
description:
  - Shows the prompt once for all hosts, and reads one line.
  - The task does not fail if there is no terminal, or if the operator interrupts the prompt.
options:
  prompt:
    description: The question.
    type: str
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Ask for the confirmation
  aimemory.tenancy.ask:
    prompt: Type 'YES' to confirm
"""

RETURN = r"""
asked:
  description: Whether there is a terminal.
  returned: always
  type: bool
answer:
  description: The answer without surrounding spaces; empty after an interrupt.
  returned: always
  type: str
"""
