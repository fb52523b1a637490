"""The console's ASGI application, and where it stands beside the API's."""

from collections.abc import Sequence

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from flotilla_kit.errors import FlotillaError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import Failure
from ..service import problems
from ..service.authentication import Authentication, NoAuthentication
from ..service.resources import ServiceResources
from ..telemetry.served_request import RequestObserver
from . import approvals, changes, fleet, pages, runs, sign_in, start, statistics
from .gate import ConsoleGate, SecureHeaders
from .pages import failure_page
from .sessions import PREFIX


def console_app(
    resources: ServiceResources,
    authentication: Authentication,
    calls_per_s: float,
    observers: Sequence[RequestObserver] = (),
) -> ASGIApp:
    """The whole console.

    Args:
        calls_per_s: of each person, beside what their token may ask of the API.
        observers: are told of each request that has been answered.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.resources = resources
    app.state.signs_in = not isinstance(authentication, NoAuthentication)
    for part in (pages, sign_in, approvals, start, runs, changes, fleet, statistics):
        app.include_router(part.router)
    app.add_exception_handler(Failure, _on_failure)
    app.add_exception_handler(FlotillaError, _on_flotilla_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_fault)
    gate = ConsoleGate(app, authentication, calls_per_s, observers)
    app.state.gate = gate
    return SecureHeaders(gate)


def with_console(service: ASGIApp, console: ASGIApp) -> ASGIApp:
    """Both at one address: the console is at `/` and below `/console`."""
    at_the_top = SecureHeaders(RedirectResponse(f"{PREFIX}/"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path in ("/", PREFIX):
            await at_the_top(scope, receive, send)
        elif path.startswith(f"{PREFIX}/"):
            await console(scope, receive, send)
        else:
            await service(scope, receive, send)

    return app


async def _on_failure(request: Request, error: Exception) -> Response:
    assert isinstance(error, Failure)
    return failure_page(request, error)


async def _on_flotilla_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, FlotillaError)
    return failure_page(request, problems.failure_of(error))


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{found['loc'][-1]}: {found['msg']}" for found in error.errors()[:5])
    return failure_page(request, Failure("invalid_arguments", f"That address is not right: {said}"[:500]))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    failure = Failure("not_found", "There is no such page.", "See the links above.")
    if error.status_code != 404:
        failure = Failure("invalid_arguments", "That cannot be done here.", "See the links above.")
    return failure_page(request, failure, error.status_code)


async def _on_fault(request: Request, error: Exception) -> Response:
    """Ours: logged under an id, never explained."""
    return failure_page(request, problems.logged_fault(error), 500)
