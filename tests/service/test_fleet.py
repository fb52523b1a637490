"""What the API tells of the fleet: stats, workers, servers."""

import pytest
from support.service import Desk, Served, until


async def test_it_tells_what_runs_have_used_and_that_nobody_is_at_work(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    await api.start(maya)
    stats = (await api.client.get("/v1/stats", params={"days": "1"}, headers=maya)).json()
    assert [(one["playbook"], one["count"]) for one in stats["runs"]] == [("case", 1)]
    assert (await api.client.get("/v1/workers", headers=maya)).json() == {"items": []}
    (server,) = (await api.client.get("/v1/servers", headers=maya)).json()["items"]
    assert (server["server"], server["healthy"], server["error"]["code"]) == ("desk", False, "server_unavailable")


@pytest.mark.cli_double
def test_it_tells_who_works_and_which_servers_answer(case: Served) -> None:
    maya = case.token("maya", "run", "read")
    case.serve(name="first")
    with case.client(maya) as client:
        body = {"playbook": "pay", "task": "amount: 500", "inputs": {"amount": 500}, "model": "rehearsal"}
        until(client, client.post("/v1/runs", json=body).json()["run_id"], "waiting")
        (worker,) = client.get("/v1/workers").json()["items"]
        assert (worker["executor_id"], worker["alive"], worker["runs"]) == ("first", True, 1)
        (server,) = client.get("/v1/servers").json()["items"]
        assert (server["server"], server["local"], server["healthy"], server["mandates"]) == (
            "billing",
            True,
            True,
            True,
        )
        assert server["tools"] == ["get_transaction", "issue_refund"]
