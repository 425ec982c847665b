"""The smoke test signs tokens for the service, and reports what it cannot prove without a token."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import tokens
from lab import MIGRATE, ROWS, TOKEN_SECRET, Host, Run
from service import assert_works_in_full, deploy, traces

CODE = "/opt/ai-memory/app.py"
REFUSED = "ai-memory refuses the smoke test s request POST /memory/store (HTTP 401"


@contextlib.contextmanager
def other_tokens(machine: Host) -> Iterator[None]:
    """Run a release that rejects every token that the run can sign."""
    machine.run("sudo lab-reset tenant_aware")
    machine.run(f"sudo cp -p {CODE} {CODE}.whole && sudo sed -i s/hashlib.sha256\\).dig/hashlib.sha512\\).dig/ {CODE}")
    try:
        machine.run("sudo systemctl restart ai-memory")
        machine.wait_until_healthy()
        yield
    finally:
        machine.run(f"sudo mv {CODE}.whole {CODE} && sudo systemctl restart ai-memory")
        machine.wait_until_healthy()


@pytest.mark.wide
def test_the_endpoints_that_show_the_tenant_of_the_request_before_are_named(machine: Host, migrated: Run) -> None:
    run = machine.playbook("playbooks/verify.yml")
    for endpoint in ("GET /v1/memories/shared?limit=5", "POST /v2/summaries/search"):
        assert f"WARNING {endpoint} requires no token and shows rows of tenant 1 to the next caller" in run.words
    assert "API: 1 of 9 endpoints were seen to keep tenants apart; 2 warnings." in run.words
    assert "Isolation in GET /v1/memories/user?user_id={user_id} is not proven" in run.words
    # The service's session has the caller's tenant again.
    assert machine.call("/v1/memories/shared", method="GET")["memories"]


@pytest.mark.wide
def test_writers_that_forget_the_tenant_are_named_and_leave_nothing(machine: Host, migrated: Run) -> None:
    run = machine.playbook("playbooks/verify.yml", "-everify_proof=true")
    assert run.changed == 0
    assert "WARNING POST /v1/memories/user stores rows of tenant 32767 under tenant 1 (public.memories)." in run.words
    assert (
        "WARNING POST /v2/process-call stores rows of tenant 32767 under tenant 1 (public.call_summaries" in run.words
    )
    assert "WARNING GET /v2/personality/{user_id} requires no token" in run.words
    assert "POST /memory/store stores rows of tenant" not in run.words
    assert "API: 5 of 9 endpoints were seen to keep tenants apart; 6 warnings." in run.words
    assert machine.rows() == ROWS


@pytest.mark.wide
def test_tokens_that_cannot_be_signed_are_refused_before_the_stop(machine: Host) -> None:
    with other_tokens(machine):
        check = machine.playbook("migrate.yml", "--check")
        assert (
            "NOTE A run would end before anything is stopped: ai-memory refuses the smoke test s request" in check.words
        )
        before = machine.catalogs(), machine.service_pid(), machine.rows()
        run = machine.playbook(*MIGRATE, check=False)
        assert (run.record["failure"]["phase"], run.record["stopped_at"]) == ("try", None), run.output
        assert REFUSED in run.words
        assert "it rejects a token that is signed with JWT_SECRET_KEY from its environment" in run.words
        assert "service_smoke_headers (encrypted with ansible-vault). Or set service_smoke to read or none" in run.words
        assert (machine.catalogs(), machine.service_pid(), machine.rows()) == before


@pytest.mark.wide
def test_without_a_request_it_goes_on_and_says_what_is_not_proven(machine: Host) -> None:
    with other_tokens(machine):
        run = machine.playbook(*MIGRATE, "-eservice_smoke=none")
    assert run.record["outcome"] == "SUCCESS"
    assert run.record["api"]["mode"] == "none"
    (sentence,) = run.record["api"]["unproven"]
    assert "The test does not prove that ai-memory works through its API" in sentence
    assert "API: NOT PROVEN in full (service_smoke=none)" in run.words
    assert "- [ ] API endpoints respond correctly (NOT PROVEN: see below)" in run.log


@pytest.mark.wide
def test_headers_of_the_operators_take_the_place_of_the_token(machine: Host) -> None:
    machine.run("sudo lab-reset tenant_aware")
    deploy(machine, "tenant_aware")
    claims = {"customer_id": 1, "sub": "operator", "exp": int(time.time()) + 3600}
    token = tokens.signed(claims, TOKEN_SECRET)
    headers = json.dumps({"service_smoke_headers": {"Authorization": f"Bearer {token}"}, "service_token": {}})
    run = machine.playbook(*MIGRATE, f"-e{headers}")
    assert (run.record["outcome"], run.record["api"]["token"]) == ("SUCCESS", "given")
    assert token not in traces(machine, run)


@pytest.mark.wide
def test_reading_requests_alone_find_a_service_that_shows_nothing_any_more(machine: Host) -> None:
    machine.reset()
    # Without the bridge, the legacy release has no tenant and sees no rows.
    run = machine.playbook(*MIGRATE, "-eservice_smoke=read", "-etenancy_bridge=false", check=False)
    assert "The API shows less than before the change: GET /v1/memories?limit=5, GET /v1/memories/shared" in run.words
    assert "Database: the change was committed and then rolled back." in run.words
    assert machine.rows() == ROWS
    assert_works_in_full(machine)
