"""compose.yaml for real: a disputed charge over the API, its refund made once, whatever is killed meanwhile."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
from support.compose import ComposedFleet
from support.container_images import podman

pytestmark = pytest.mark.containers
CASE = {
    "playbook": "billing-dispute",
    "task": "I was charged twice in February.",
    "inputs": {"customer_id": "cust_12345"},
    "model": "rehearsal",
}
SERVERS = ("billing", "crm", "memory", "k8s")


class Case:
    """One disputed charge: asked for by maya, decided by ben, who is the approver ada of the billing server."""

    def __init__(self, fleet: ComposedFleet) -> None:
        self.fleet = fleet
        self.maya = fleet.token("maya", "run", "read")
        self.ben = fleet.token("ben", "approve")
        with fleet.api(self.maya) as client:
            begun = client.post("/v1/runs", json=CASE)
            assert begun.status_code == 202, begun.text
            self.run_id = begun.json()["run_id"]

    def state(self) -> str:
        return self.fleet.run_state(self.run_id, self.maya)

    def approval(self) -> Mapping[str, Any]:
        """The request that the run waits for."""
        with self.fleet.api(self.ben, self.fleet.setup("approver-token", "ada")) as client:

            def pending() -> Any:
                found = client.get("/v1/approvals")
                assert found.status_code == 200, found.text
                if (state := self.state()) in ("ok", "failed"):
                    pytest.fail(f"{self.run_id} is {state} and has asked for nothing")
                return [each for each in found.json()["items"] if each.get("run") == self.run_id]

            (found,) = self.fleet.wait("an approval", pending)
            return found

    def approve(self) -> None:
        approval = self.approval()
        with self.fleet.api(self.ben, self.fleet.setup("approver-token", "ada")) as client:
            decided = client.post(f"/v1/approvals/billing/{approval['approval_id']}", json={"decision": "approve"})
            assert decided.status_code == 200, decided.text

    def ended(self) -> str:
        return self.fleet.wait("the run to end", lambda: (s := self.state()) in ("ok", "failed", "cancelled") and s)


@pytest.fixture(scope="module", autouse=True)
def ada(fleet: ComposedFleet) -> None:
    fleet.setup("approver", "ada")


def refunds(fleet: ComposedFleet) -> int:
    return int(fleet.query("billing", "SELECT count(*) FROM refunds"))


def fresh_books(fleet: ComposedFleet) -> None:
    """As on the first day: each case disputes the same charge."""
    fleet.query("billing", "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION billing")
    podman("restart", "-t", "5", fleet.container("billing"))
    fleet.ready()


def test_a_refund_is_made_once_after_a_person_agreed(fleet: ComposedFleet) -> None:
    case = Case(fleet)
    assert refunds(fleet) == 0
    case.approve()
    assert case.ended() == "ok"
    assert refunds(fleet) == 1


@pytest.mark.parametrize("service", ["billing", "orchestrator", "postgres"])
def test_a_run_goes_on_when_a_process_is_killed_while_it_waits(fleet: ComposedFleet, service: str) -> None:
    fresh_books(fleet)
    case = Case(fleet)
    case.approval()
    fleet.kill(service)
    fleet.ready()
    case.approve()
    assert case.ended() == "ok"
    assert refunds(fleet) == 1


@pytest.mark.parametrize("service", ["billing", "orchestrator"])
def test_a_run_goes_on_when_a_process_is_killed_while_it_works(fleet: ComposedFleet, service: str) -> None:
    case = killed_at_work(fleet, service)
    case.approve()
    assert case.ended() == "ok"
    assert refunds(fleet) == 1


def test_a_run_ends_when_postgresql_is_killed_while_it_works(fleet: ComposedFleet) -> None:
    """A worker whose session the database left is reported to its lead, which may close the case without a refund."""
    case = killed_at_work(fleet, "postgres")
    reached = fleet.wait("a question or the end", lambda: (s := case.state()) in ("waiting", "ok", "failed") and s)
    if reached == "waiting":
        case.approve()
    assert case.ended() == "ok"
    assert refunds(fleet) == (1 if reached == "waiting" else 0)


def killed_at_work(fleet: ComposedFleet, service: str) -> Case:
    """A case of which a process was killed a second after it had begun."""
    fresh_books(fleet)
    case = Case(fleet)
    fleet.wait("the run to begin", lambda: case.state() == "running")
    time.sleep(1)
    fleet.kill(service)
    fleet.ready()
    return case


def test_no_server_reaches_another_or_the_internet(fleet: ComposedFleet) -> None:
    code = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
    for name in SERVERS:
        fleet.execute("orchestrator", "python", "-c", code, name, "8000")
        for other, port in [(each, "8000") for each in SERVERS if each != name] + [("1.1.1.1", "443")]:
            with pytest.raises(AssertionError, match=r"gaierror|Network is unreachable|timed out|TimeoutError"):
                fleet.execute(name, "python", "-c", code, other, port)


def test_each_process_reaches_its_own_database_alone(fleet: ComposedFleet) -> None:
    code = "import psycopg, sys; psycopg.connect(f'postgresql://{sys.argv[1]}@postgres/{sys.argv[2]}').close()"
    for name in (*SERVERS, "orchestrator"):
        fleet.execute(name, "python", "-c", code, name, name)
        for role, database in (
            (name, "postgres"),
            (name, "billing" if name != "billing" else "crm"),
            ("postgres", name),
        ):
            with pytest.raises(AssertionError, match=r"permission denied|no password supplied|authentication failed"):
                fleet.execute(name, "python", "-c", code, role, database)


def test_processes_hold_nothing_that_they_need_not(fleet: ComposedFleet) -> None:
    for name in (*SERVERS, "orchestrator", "k8s-sandbox"):
        found = fleet.inspect(name)
        assert found["HostConfig"]["ReadonlyRootfs"], name
        assert found["EffectiveCaps"] in (None, []), name
        assert "no-new-privileges" in found["HostConfig"]["SecurityOpt"], name
        status = fleet.execute(name, "python", "-c", "print(open('/proc/1/status').read())")
        assert "Uid:\t10001\t10001" in status
        assert "NoNewPrivs:\t1" in status


def test_servers_see_no_private_key(fleet: ComposedFleet) -> None:
    code = "import pathlib; print([str(p) for p in pathlib.Path('/').glob('*/**/*.jwk')])"
    for name in SERVERS:
        assert fleet.execute(name, "python", "-c", code) == "[]"


def test_the_key_of_mandates_rotates_under_a_run(fleet: ComposedFleet) -> None:
    fresh_books(fleet)
    case = Case(fleet)
    case.approval()
    old = fleet.execute("orchestrator", "flotilla", "keys").split()[0]
    fleet.setup("rotate")
    case.approve()
    assert case.ended() == "ok"
    fleet.setup("retire", old)
    fresh_books(fleet)
    after = Case(fleet)
    after.approve()
    assert after.ended() == "ok"
    assert refunds(fleet) == 1


def test_foreign_tokens_are_refused(fleet: ComposedFleet) -> None:
    with fleet.api("flt_nobody") as client:
        assert client.get("/v1/runs").status_code == 401
        assert client.get("/healthz").status_code == 200
