"""The description of the API is what the API does: tried with requests made of it, well formed and not."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (Schemathesis leaves the parameters of its generic types open.)

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flotilla_kit.http.addresses import listen
from flotilla_orchestrator.service.app import create_app, service_app
from flotilla_orchestrator.service.authentication import BearerTokens
from flotilla_orchestrator.service.listener import serving
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.commands import flotilla
from support.proofs import FULL
from support.service import Desk, desk

_EXAMPLES = 300 if FULL else 15  # of each route
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_PROBLEM = {"$ref": "#/components/schemas/Problem"}


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, one) for path, methods in document["paths"].items() for method, one in methods.items()]


def test_every_route_says_what_it_answers_and_who_may_call_it() -> None:
    for method, path, operation in operations(create_app(None).openapi()):
        if not path.startswith("/v1/"):
            continue
        assert operation["security"] == [{"bearer": []}], path
        assert operation["summary"] and operation["description"]
        assert {"401", "403", "422", "429", "500"} <= set(operation["responses"]), (method, path)
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert answer["content"] == {"application/problem+json": {"schema": _PROBLEM}}, (path, status)


def test_the_command_prints_the_description(tmp_path: Path) -> None:
    said = flotilla(tmp_path, "serve", "--openapi")
    assert json.loads(said.stdout) == json.loads(json.dumps(create_app(None).openapi()))


@pytest.mark.prove
async def test_no_request_gets_an_answer_that_is_not_described(tmp_path: Path) -> None:
    async with desk(tmp_path, backlog=50) as api:
        token = api.token("maya", "run", "read", "approve")
        run_id = (await api.start(token))["run_id"]
        listener, url = listen("127.0.0.1", 0)
        app = service_app(api.resources, BearerTokens(api.tokens), 100_000)
        async with serving(app, listener):
            await asyncio.to_thread(tried, url, token, run_id)


@pytest.mark.prove
async def test_without_a_token_no_request_learns_anything(api: Desk) -> None:
    for method, path, _ in operations(create_app(None).openapi()):
        if path.startswith("/v1/"):
            answer = await api.client.request(method, path.replace("{", "").replace("}", ""))
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), path


def tried(url: str, token: dict[str, str], run_id: str) -> None:
    """Call each route with what Schemathesis makes of its description."""
    for found in schemathesis.openapi.from_dict(create_app(None).openapi()).get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        assert try_operation(operation, url, token, run_id) >= 1, operation.label


def try_operation(operation: Any, url: str, token: dict[str, str], run_id: str) -> int:
    """How many requests it took. Every other one is about a run that is there, but for streams, which would not end."""
    count = 0

    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=operation.as_strategy())
    def one(case: Any) -> None:
        nonlocal count
        count += 1
        if count % 2 and "run_id" in case.path_parameters and not operation.path.endswith("/events"):
            case.path_parameters["run_id"] = run_id
        case.validate_response(case.call(base_url=url, headers=token, timeout=30), checks=_CHECKS)

    one()
    return count
