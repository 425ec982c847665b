"""The documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: connection_settings
short_description: Determine how Ansible connects to a host, and which options a run must add
description:
  - >-
    Reads the effective settings from C(ssh -G), and asks Ansible whether pipelining is configured. Sends nothing to the
    host.
  - >-
    If no setting keeps idle connections open, the task adds C(ServerAliveInterval), and closes the
    shared connection that an earlier command opened.
  - Never changes a value that the operator configured.
options: {}
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Determine how Ansible connects to the host
  aimemory.tenancy.connection_settings:
  register: connection

- name: Keep idle connections open
  ansible.builtin.set_fact:
    ansible_ssh_extra_args: "{{ connection.extra_args }}"
    ansible_ssh_pipelining: "{{ connection.pipelining }}"
  when: connection.is_ssh
"""

RETURN = r"""
is_ssh:
  description: Whether Ansible connects with the ansible.builtin.ssh plugin.
  returned: always
  type: bool
extra_args:
  description: The value for C(ansible_ssh_extra_args).
  returned: when C(is_ssh)
  type: str
pipelining:
  description: The value for C(ansible_ssh_pipelining).
  returned: when C(is_ssh)
  type: bool
"""
