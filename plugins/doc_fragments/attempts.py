"""The options of the modules that make attempts with the service's own login."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that ``aimemory.tenancy.attempts`` adds."""

    DOCUMENTATION = r"""
options:
  attempts:
    description: The attempts, in order.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Name of the attempt.
        type: str
        required: true
      table:
        description: The table of the attempt, or an empty string.
        type: str
        required: true
      sentence:
        description: Description of the attempt.
        type: str
        required: true
      tenant:
        description: The tenant that the session sets. Without this option, the session keeps the setting of its login.
        type: str
      sql:
        description: The statement.
        type: str
        required: true
      data:
        description: Input of C(COPY FROM STDIN).
        type: str
      visible:
        description:
          - The row count that the statement's first column must contain. The second column contains the number of rows
            that were stored since this count was determined. The first column may exceed the count by that number.
          - The third column contains the number of visible rows that the session should not see. It must be 0.
        type: int
      writes:
        description: Whether the statement may write. If false, it runs read-only.
        type: bool
        default: false
      expected:
        description: The allowed outcomes, such as C(0 rows), C(error 42501) (an SQLSTATE) or C(done).
        type: list
        elements: str
        required: true
  timeout:
    description: Time limit for all attempts together, in seconds.
    type: int
    default: 60
"""
