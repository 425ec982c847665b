"""The evidence that nothing lives on the bridge any more."""

from __future__ import annotations

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import bridge

DAY = 86400


@pytest.mark.parametrize(
    ("used_at", "started", "now", "holds", "sentence"),
    [
        # Never used, watched for long enough or not.
        (None, 0, DAY, True, "nothing worked by the bridge since the service was started 24 hours ago"),
        (None, 0, DAY - 1, False, "nothing worked by the bridge since the service was started 23 hours ago"),
        # Used by the release before.
        (0, 1000, 1000 + 2 * DAY, True, "nothing worked by the bridge since the service was started 2 days ago"),
        # Used since the start, however long ago.
        (1000, 1000, 1000 + 2 * DAY, False, "a session worked by the bridge 2 days ago"),
        (5000, 1000, 5090, False, "a session worked by the bridge 90 seconds ago"),
        # The start and the use are known to the second only.
        (999, 1000, 1000 + DAY, False, "a session worked by the bridge 24 hours ago"),
        (998, 1000, 1000 + DAY, True, "nothing worked by the bridge since the service was started 24 hours ago"),
    ],
)
def test_the_evidence(used_at: int | None, started: int, now: int, holds: bool, sentence: str) -> None:
    found = bridge.evidence(used_at, started, now, DAY)
    assert (found["holds"], found["sentence"]) == (holds, sentence)
    assert found["used"] is (sentence[0] == "a")
    assert found["used_at"] == used_at
