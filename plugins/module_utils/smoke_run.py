"""One smoke test: store a memory, find its row, retrieve it, and remove it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import smoke, smoke_rows
from .smoke import Answer
from .smoke_rows import Found

PAUSE = 0.1


class SmokeError(Exception):
    """The test failed; the message gives the cause."""


class SmokeRun:
    """The steps of one test; ``outcome`` contains the results.

    ``wanted`` contains the options of the service_smoke module. ``ask`` makes a request and returns the response.
    ``look`` returns the rows of the test's callers. ``remove`` takes tenants, callers and statements, and removes the
    rows. ``look`` and ``remove`` may raise SmokeError.
    """

    def __init__(
        self,
        wanted: Mapping[str, Any],
        token: str,
        ask: Callable[[Mapping[str, Any]], Answer],
        look: Callable[[], list[Found]],
        remove: Callable[[Sequence[str], Sequence[str], Sequence[str]], int],
    ) -> None:
        """Initialize with the options, the kind of token for requests, and the functions ``ask``, ``look`` and
        ``remove``."""
        self.wanted, self.about = wanted, {**wanted["about"], "token": token}
        self.ask, self.look, self.remove = ask, look, remove
        self.outcome: dict[str, Any] = {"found": [], "unproven": [], "shown": [], "stored_seconds": None}

    def test(self) -> None:
        """Store, find and retrieve a memory; remove the rows before and after. Raises SmokeError, as all steps do."""
        # Otherwise, the rows of a lost run would count as rows of this run.
        self.clear()
        self._and_clear(self._store_and_retrieve)

    def find(self) -> None:
        """Find and remove the rows that another request stored."""
        self._and_clear(self._find)

    def clear(self) -> None:
        """Remove the rows of this test and of lost tests, and check that no rows remain."""
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
        """Record the existing rows."""
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
        """Wait until the row is stored with its tenant, and record the duration in seconds."""
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
        """Make a request and return whether the response is ok; record a response that leaves something unproven."""
        answer = self.ask(request)
        judged = smoke.judged(answer, self.about)
        if judged["verdict"] == "trouble":
            raise SmokeError(judged["sentence"])
        if judged["verdict"] == "unproven":
            self.outcome["unproven"].append(f"{judged['sentence']}.")
            return False
        if request["marker"] and not answer["marked"]:
            raise SmokeError(
                f"The API responded, but did not return the stored memory. {answer['name']}: {answer['said']}"
            )
        return True

    def _retrieve(self) -> None:
        """Retrieve the stored memory; if the release separates tenants, also retrieve it as another tenant."""
        other = self.wanted["other"]
        if not self._answers(self.wanted["retrieve"]) or not other["request"]:
            return
        if other["only_signed"] and self.about["token"] != "signed":
            return
        answer = self.ask(other["request"])
        # A session of the service keeps the tenant of its last request, so the last request is made as the first
        # tenant.
        self.ask(self.wanted["retrieve"])
        tenant, seen_by = self.wanted["rows"]["tenant"], other["tenant"]
        if answer["marked"] and other["fails"]:
            raise SmokeError(f"The API showed another tenant the stored memory. {answer['name']}: {answer['said']}")
        if answer["marked"]:
            self.outcome["shown"].append(f"{answer['name']} shows tenant {seen_by} the rows of tenant {tenant}.")
        # A failed request shows no rows, but proves nothing.
        if answer["verdict"] != "ok":
            self.outcome["unproven"].append(
                f"It is not proven what another tenant sees: as tenant {seen_by}, {answer['name']} answers"
                f" {answer['said']}."
            )
