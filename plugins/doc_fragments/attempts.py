"""Options of the modules that make attempts as the service's own login."""

from __future__ import annotations


class ModuleDocFragment:
    """What ``aimemory.tenancy.attempts`` adds."""

    DOCUMENTATION = r"""
options:
  attempts:
    description: The attempts, in the order in which they are made.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Name of the attempt.
        type: str
        required: true
      table:
        description: The table that it is about, or empty.
        type: str
        required: true
      sentence:
        description: What is tried.
        type: str
        required: true
      tenant:
        description: The tenant that the session names; none where it keeps what it was given at login.
        type: str
      sql:
        description: The statement.
        type: str
        required: true
      data:
        description: What C(COPY FROM STDIN) reads.
        type: str
      visible:
        description:
          - What the first column of the statement counts. The second counts those of them that were stored since,
            which may be more. The third counts those that the session must not see, of which none is allowed,
            whenever they were stored.
        type: int
      writes:
        description: Whether the statement may write; all others run read-only.
        type: bool
        default: false
      expected:
        description: The allowed outcomes, such as C(0 rows), C(error 42501) (an SQLSTATE) or C(done).
        type: list
        elements: str
        required: true
"""
