"""Whatever goes wrong is told as problem details with the fleet's members, and says nothing of the inside."""

from typing import Any

import httpx2
import pytest
from support.service import PROBLEM, RUN, Desk

MEMBERS = {"type", "title", "status", "detail", "code", "message", "suggestion", "retryable", "details"}


def problem(answer: httpx2.Response) -> dict[str, Any]:
    """What it says, if it has the shape."""
    assert answer.headers["content-type"] == PROBLEM
    said = answer.json()
    assert set(said) == MEMBERS
    assert (said["status"], said["detail"]) == (answer.status_code, said["message"])
    assert "Traceback" not in answer.text
    return said


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/v1/runs/run_unknown", 404, "unknown_run"),
        ("GET", "/v1/runs/last", 422, "invalid_arguments"),
        ("GET", "/v1/runs/..%00", 422, "invalid_arguments"),
        ("GET", "/v1/runs?cursor=nonsense", 422, "invalid_cursor"),
        ("GET", "/v1/runs?limit=0", 422, "invalid_arguments"),
        ("DELETE", "/v1/runs", 405, "method_not_allowed"),
    ],
)
async def test_a_wrong_request_is_told_in_that_shape(api: Desk, method: str, path: str, status: int, code: str) -> None:
    answer = await api.client.request(method, path, headers=api.token("maya", "read", "run"))
    assert (answer.status_code, problem(answer)["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b'{"a": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"\xff\xfe", "application/json", 422),
        (b"playbook=case", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
        (b" " * (1024 * 1024 + 1), "application/json", 413),
    ],
)
async def test_a_body_that_is_none_is_told_in_that_shape(
    api: Desk, body: bytes, content_type: str, status: int
) -> None:
    headers = {**api.token("maya", "run"), "Content-Type": content_type}
    answer = await api.client.post("/v1/runs", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    problem(answer)


async def test_a_fault_of_ours_has_an_id_and_no_inside(api: Desk, caplog: pytest.LogCaptureFixture) -> None:
    maya = api.token("maya", "run", "read")
    run_id = (await api.start(maya))["run_id"]
    await api.resources.journal.database.write(
        lambda connection: connection.exec_driver_sql("UPDATE runs SET inputs = 'secret{'")
    )
    answer = await api.client.get(f"/v1/runs/{run_id}", headers=maya)
    assert answer.status_code == 500
    error_id = problem(answer)["details"]["error_id"]
    assert "secret" not in answer.text
    assert error_id in [getattr(record, "error_id", None) for record in caplog.records]


async def test_health_is_open_to_all_and_says_nothing_else(api: Desk) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await api.client.get(path)).json() == {"status": "ok"}
    api.resources.stopping.set()
    assert (await api.client.get("/readyz")).status_code == 503
    assert (await api.client.post("/v1/runs", json=RUN)).status_code == 401
