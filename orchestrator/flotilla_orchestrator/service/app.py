"""The ASGI application: the routes, how failures are told, and what every request passes first."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from flotilla_kit.errors import FlotillaError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from ..errors import Failure
from ..telemetry.served_request import RequestObserver
from . import approvals_api, control_api, events_api, fleet_api, health_api, problems, runs_api, webhooks_api
from .authentication import Authentication
from .gate import Gate
from .resources import ServiceResources

_ABOUT = (
    "Runs of playbooks: start, follow, steer and decide about them. Errors are problem details (RFC 9457) with the "
    "fleet's `code`, `message`, `suggestion` and `retryable`. `docs/service.md` has examples."
)
_BEARER = HTTPBearer(auto_error=False, description="of `flotilla tokens`, or a JWT of the issuer", scheme_name="bearer")


def create_app(resources: ServiceResources | None) -> FastAPI:
    """The routes alone; without resources they can be described, not called."""
    app = FastAPI(
        title="Flotilla",
        version=version("flotilla-orchestrator"),
        description=_ABOUT,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        default_response_class=problems.AsciiJson,
        redirect_slashes=False,
    )
    app.state.resources = resources
    for routes in (runs_api, events_api, control_api, approvals_api, fleet_api, webhooks_api):
        app.include_router(routes.router, dependencies=[Security(_BEARER)])
    app.include_router(health_api.router)
    app.add_exception_handler(Failure, problems.on_failure)
    app.add_exception_handler(FlotillaError, problems.on_flotilla_error)
    app.add_exception_handler(RequestValidationError, problems.on_invalid_request)
    app.add_exception_handler(HTTPException, problems.on_http_exception)
    app.add_exception_handler(Exception, problems.on_fault)
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        document["components"]["schemas"]["Problem"] = problems.Problem.model_json_schema()
        return document

    app.openapi = openapi
    return app


def service_app(
    resources: ServiceResources,
    authentication: Authentication,
    calls_per_s: float,
    observers: Sequence[RequestObserver] = (),
) -> ASGIApp:
    """The whole service.

    Args:
        calls_per_s: of each caller.
        observers: are told of each request that has been answered.
    """
    return Gate(create_app(resources), authentication, calls_per_s, observers)
