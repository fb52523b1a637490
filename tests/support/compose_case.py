"""A disputed charge in a fleet of compose.yaml: asked for by maya, decided by ben, who is the approver ada."""

from collections.abc import Mapping
from typing import Any

import pytest

from .compose import ComposedFleet
from .container_images import podman

CASE = {
    "playbook": "billing-dispute",
    "task": "I was charged twice in February.",
    "inputs": {"customer_id": "cust_12345"},
    "model": "rehearsal",
}


class Case:
    """One run of it."""

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
                    pytest.fail(f"{self.run_id} is {state} and has asked for nothing: {self.told()}")
                return [each for each in found.json()["items"] if each.get("run") == self.run_id]

            (found,) = self.fleet.wait("an approval", pending)
            return found

    def approve(self) -> None:
        approval = self.approval()
        with self.fleet.api(self.ben, self.fleet.setup("approver-token", "ada")) as client:
            decided = client.post(f"/v1/approvals/billing/{approval['approval_id']}", json={"decision": "approve"})
            assert decided.status_code == 200, decided.text

    def succeeds(self) -> None:
        """Wait for its end, which has to be a good one."""
        ends = ("ok", "failed", "cancelled")
        state = self.fleet.wait("the run to end", lambda: (state := self.state()) in ends and state)
        assert state == "ok", self.told()

    def told(self) -> str:
        """What failed in it, for whoever looks for the reason."""
        return self.fleet.execute("orchestrator", "flotilla", "show", self.run_id)[-4000:]


def refunds(fleet: ComposedFleet) -> int:
    return int(fleet.query("billing", "SELECT count(*) FROM refunds"))


def fresh_books(fleet: ComposedFleet) -> None:
    """As on the first day: each case disputes the same charge."""
    fleet.query("billing", "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION billing")
    podman("restart", "-t", "5", fleet.container("billing"))
    fleet.ready()
