"""Failures as HTTP answers: problem details (RFC 9457) that carry the fleet's own members."""

import json
import logging
import math
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from flotilla_kit.errors import FlotillaError, StoreUnavailable
from flotilla_kit.http.limits import HttpRefusal
from pydantic import BaseModel, Field, JsonValue
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from ..errors import Failure

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_RETRY_S = 5  # for what may go well later, if nothing says when
_MOST_PROBLEMS = 20  # of one request's arguments

_STATUSES = {
    "unauthorized": 401, "insufficient_scope": 403, "own_run": 403, "no_approver": 403, "self_approval": 403,
    "unknown_tool": 403,  # of a server, to whoever is no approver
    "unknown_run": 404, "unknown_approval": 404, "unknown_server": 404, "unknown_delivery": 404, "not_found": 404,
    "run_ended": 409, "run_not_ended": 409, "run_not_paused": 409, "run_forgotten": 409, "run_queued": 409,
    "no_lead": 409, "no_credential": 409, "other_version": 409, "idempotency_mismatch": 409, "delivery_not_dead": 409,
    "approval_decided": 409, "approval_expired": 409, "approval_used": 409, "conflict": 409,
    "media_type": 415, "foreign_host": 421,
    "invalid_input": 422, "denied_by_guardrail": 422, "invalid_arguments": 422, "invalid_cursor": 422,
    "backlog_full": 429, "rate_limited": 429,
    "internal_error": 500, "server_unavailable": 502, "server_failed": 502, "store_unavailable": 503, "stopping": 503,
}  # fmt: skip


class Problem(BaseModel):
    """What went wrong (RFC 9457). `code`, `message`, `suggestion` and `retryable` are those of the whole fleet."""

    type: str = Field(description="`urn:flotilla:error:CODE`")
    title: str
    status: int
    detail: str = Field(description="as `message`")
    code: str
    message: str
    suggestion: str
    retryable: bool
    details: dict[str, JsonValue] = {}


class AsciiJson(JSONResponse):
    """JSON in ASCII: what models and tools have said may hold half a surrogate pair, which UTF-8 has no place for."""

    def render(self, content: object) -> bytes:
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route: these problems, and those that any route can have."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: schema}}
        for status in sorted({400, 401, 403, 421, 422, 429, 500, 503, *statuses})
    }


def status_of(failure: Failure, otherwise: int = 400) -> int:
    """The HTTP status that its code has."""
    return _STATUSES.get(failure.code, otherwise)


def answer(failure: Failure, status: int | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """The failure, with the status that its code has, else with this one (else 400)."""
    found = status_of(failure, status or 400)
    given = dict(headers or {})
    if failure.code == "insufficient_scope":
        given["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{failure.details["scope"]}"'
    if found in (429, 503):
        after = failure.details.get("retry_after_s")
        given["Retry-After"] = str(max(1, math.ceil(after if isinstance(after, int | float) else _RETRY_S)))
    return Response(_body(failure, found), found, given, MEDIA_TYPE)


def describe_refusal(refusal: HttpRefusal) -> tuple[bytes, str]:
    """As `LimitedApp` tells what it refuses."""
    return _body(failure_of(refusal), int(refusal.status)), MEDIA_TYPE


async def on_failure(_: Request, error: Exception) -> Response:
    assert isinstance(error, Failure)
    return answer(error)


async def on_flotilla_error(_: Request, error: Exception) -> Response:
    """Of the kit: a store that is gone, a cursor that is none."""
    assert isinstance(error, FlotillaError)
    if isinstance(error, StoreUnavailable):
        logger.error("store_unavailable", exc_info=error)
    return answer(failure_of(error))


async def on_invalid_request(_: Request, error: Exception) -> Response:
    """What was sent does not have the shape that the route takes."""
    assert isinstance(error, RequestValidationError)
    problems: list[JsonValue] = [
        {"where": ".".join(str(part) for part in found["loc"])[:200], "message": str(found["msg"])[:300]}
        for found in error.errors()[:_MOST_PROBLEMS]
    ]
    said = "; ".join(f"{found['where']}: {found['message']}" for found in problems if isinstance(found, dict))
    suggestion = "Correct it; /openapi.json says what the route takes."
    return answer(Failure("invalid_arguments", said[:1000], suggestion, details={"problems": problems}))


async def on_http_exception(_: Request, error: Exception) -> Response:
    """No such route, another method, or a body that cannot be read."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    code = "not_found" if error.status_code == 404 else phrase.lower().replace(" ", "_")
    failure = Failure(code, f"{phrase}.", "/openapi.json has the routes, and what each takes.")
    return answer(failure, error.status_code, error.headers)


async def on_fault(_: Request, error: Exception) -> Response:
    """Ours: logged under an id, never explained."""
    return answer(logged_fault(error))


def logged_fault(error: Exception) -> Failure:
    """What is told of an error of ours."""
    error_id = secrets.token_hex(6)
    logger.error("internal_error", exc_info=error, extra={"error_id": error_id})
    said = "Something went wrong in the service."
    return Failure("internal_error", said, "Its log has more.", retryable=True, details={"error_id": error_id})


def failure_of(error: FlotillaError) -> Failure:
    """The same as a Failure."""
    details: dict[str, JsonValue] = error.details
    return Failure(error.code, error.message, error.suggestion, retryable=error.retryable, details=details)


def _body(failure: Failure, status: int) -> bytes:
    problem = Problem(
        type=f"urn:flotilla:error:{failure.code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=failure.message,
        code=failure.code,
        message=failure.message,
        suggestion=failure.suggestion,
        retryable=failure.retryable,
    ).model_dump()
    return json.dumps({**problem, "details": failure.details}).encode()
