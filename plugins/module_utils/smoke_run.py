"""One smoke test: store a memory, find its row, retrieve it, and leave nothing of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import smoke, smoke_rows
from .smoke import Answer
from .smoke_rows import Found

PAUSE = 0.1


class SmokeError(Exception):
    """The test found trouble; the message is a sentence about it."""


class SmokeRun:
    """The steps of one test; what it found is in ``outcome``.

    ``wanted`` are the options of the module service_smoke. ``ask`` makes a request and returns its answer, ``look``
    returns the rows of the test's callers, and ``remove`` takes tenants, callers and statements; both raise SmokeError.
    """

    def __init__(
        self,
        wanted: Mapping[str, Any],
        token: str,
        ask: Callable[[Mapping[str, Any]], Answer],
        look: Callable[[], list[Found]],
        remove: Callable[[Sequence[str], Sequence[str], Sequence[str]], int],
    ) -> None:
        """Take what is wanted, which kind of token requests have, and how to ask, look and remove."""
        self.wanted, self.about = wanted, {**wanted["about"], "token": token}
        self.ask, self.look, self.remove = ask, look, remove
        self.outcome: dict[str, Any] = {"found": [], "unproven": [], "shown": [], "stored_seconds": None}

    def test(self) -> None:
        """Store, find and retrieve, between two removals. Raises SmokeError, as all steps do."""
        # A lost run's rows would pass for this one's.
        self.clear()
        self._and_clear(self._store_and_retrieve)

    def find(self) -> None:
        """Find what another request stored, and remove it."""
        self._and_clear(self._find)

    def clear(self) -> None:
        """Remove the rows of this test, and of tests that were lost; require that none is left."""
        rows, cleanup = self.wanted["rows"], self.wanted["cleanup"]
        found = self.look()
        written = cleanup["writes"] or bool(smoke_rows.tables(found).intersection(cleanup["write_tables"]))
        if not (cleanup["always"] or smoke_rows.tables(found)):
            return
        statements = [*cleanup["statements"], *(cleanup["write_statements"] if written else ())]
        self.remove(smoke_rows.tenants(found, rows["tenant"]), smoke_rows.callers(found, rows["caller"]), statements)
        if left := smoke_rows.left(self.look()):
            raise SmokeError(left)

    def see(self) -> None:
        """Keep which rows there are."""
        self.outcome["found"] = self.look()

    def _and_clear(self, step: Callable[[], None]) -> None:
        trouble = []
        for action in (step, self.clear):
            try:
                action()
            except SmokeError as error:
                trouble.append(str(error))
        if trouble:
            raise SmokeError(" ".join(trouble))

    def _store_and_retrieve(self) -> None:
        if self._answers(self.wanted["store"]):
            self._find()
            self._retrieve()

    def _find(self) -> None:
        """Wait until the stored row is where it belongs, and keep how long that took."""
        rows, began = self.wanted["rows"], time.monotonic()
        while True:
            found = smoke_rows.of_caller(self.look(), rows["caller"])
            trouble = smoke_rows.misplaced(
                found, rows["tenant"], rows["tenant_column"], required=rows["tenant_required"]
            )
            seconds = time.monotonic() - began
            if not trouble:
                self.outcome["stored_seconds"] = round(seconds, 3)
                return
            if seconds > rows["patience"]:
                raise SmokeError(trouble)
            time.sleep(PAUSE)

    def _answers(self, request: Mapping[str, Any]) -> bool:
        """Make a request and say whether it was answered as it should be; what that leaves unproven is kept."""
        answer = self.ask(request)
        judged = smoke.judged(answer, self.about)
        if judged["verdict"] == "trouble":
            raise SmokeError(judged["sentence"])
        if judged["verdict"] == "unproven":
            self.outcome["unproven"].append(f"{judged['sentence']}.")
            return False
        if request["marker"] and not answer["marked"]:
            raise SmokeError(
                f"The API answered, but what was stored did not come back. {answer['name']}: {answer['said']}"
            )
        return True

    def _retrieve(self) -> None:
        """Retrieve what was stored, also as another tenant if the release tells tenants apart."""
        other = self.wanted["other"]
        if not self._answers(self.wanted["retrieve"]) or not other["request"]:
            return
        if other["only_signed"] and self.about["token"] != "signed":
            return
        answer = self.ask(other["request"])
        # The session that answers keeps the tenant of the last request, which is no caller's.
        self.ask(self.wanted["retrieve"])
        tenant, seen_by = self.wanted["rows"]["tenant"], other["tenant"]
        if answer["marked"] and other["fails"]:
            raise SmokeError(f"The API showed another tenant what was stored. {answer['name']}: {answer['said']}")
        if answer["marked"]:
            self.outcome["shown"].append(f"{answer['name']} shows tenant {seen_by} what is tenant {tenant}'s.")
        # A request that failed has shown nothing.
        if answer["verdict"] != "ok":
            self.outcome["unproven"].append(
                f"What another tenant is shown is not proven: as tenant {seen_by}, {answer['name']} answers"
                f" {answer['said']}."
            )
