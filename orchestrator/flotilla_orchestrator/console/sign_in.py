"""Signing in and out, and the tokens by which a person decides on servers."""

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from ..errors import Failure
from ..service.approvals import servers_of
from ..service.callers import ALL_SCOPES, ApprovalReader, Caller
from ..service.resources import Resources, ServiceResources
from .forms import Form
from .gate import SIGN_IN, ConsoleGate
from .pages import render
from .sessions import PREFIX, Session, expires_at, presentable, with_approvers

router = APIRouter()
_INSIDE = re.compile(rf"{PREFIX}/[\w/.~-]*(\?[\w/.~=&%+-]*)?")
TOKENS = f"{PREFIX}/tokens"


@router.get(SIGN_IN)
async def sign_in_page(
    request: Request, wanted: Annotated[str, Query(alias="next", max_length=1000)] = "", ended: bool = False
) -> Response:
    if not request.app.state.signs_in:
        return RedirectResponse(f"{PREFIX}/", 303)
    return render(request, "sign_in.html", wanted=_inside(wanted), ended=ended, refused=False)


@router.post(SIGN_IN)
async def sign_in(request: Request, form: Form) -> Response:
    """Keep the token in the browser, if it is one."""
    gate: ConsoleGate = request.app.state.gate
    session: Session = request.state.session
    token, wanted = presentable(form.get("token", "")), _inside(form.get("next", ""))
    try:
        caller = await gate.caller(request.headers, token)
    except Failure as failure:
        if failure.code != "unauthorized":
            raise
        return render(request, "sign_in.html", 401, wanted=wanted, ended=False, refused=True)
    if wanted == f"{PREFIX}/" and caller.scopes.isdisjoint(("read", "approve")):  # it may not see what waits for people
        wanted = f"{PREFIX}/start"
    response = RedirectResponse(wanted, 303)
    session.forget(response)  # those of whoever was here before
    session.store_token(response, token)
    return response


@router.post(f"{PREFIX}/sign-out")
async def sign_out(request: Request, form: Form) -> Response:
    response = RedirectResponse(SIGN_IN, 303)
    request.state.session.forget(response)
    return response


@router.get(TOKENS)
async def tokens_page(request: Request, caller: ApprovalReader, resources: Resources) -> Response:
    return _tokens_page(request, caller, resources)


@router.post(TOKENS)
async def add_tokens(request: Request, caller: ApprovalReader, resources: Resources, form: Form) -> Response:
    """Keep the pasted tokens in the browser; nowhere else."""
    session: Session = request.state.session
    pasted = [part for part in re.split(r"[\s,]+", form.get("tokens", "")) if part]
    try:
        tokens = with_approvers(session, pasted)
    except Failure as failure:
        return _tokens_page(request, caller, resources, failure)
    response = RedirectResponse(TOKENS, 303)
    session.store_approvers(response, tokens)
    return response


@router.post(f"{TOKENS}/remove")
async def remove_token(request: Request, _: ApprovalReader, form: Form) -> Response:
    session: Session = request.state.session
    number = form.get("number", "")
    response = RedirectResponse(TOKENS, 303)
    session.store_approvers(response, [one for at, one in enumerate(session.approvers) if str(at) != number])
    return response


def _tokens_page(
    request: Request, caller: Caller, resources: ServiceResources, failure: Failure | None = None
) -> Response:
    session: Session = request.state.session
    found = session.approver_tokens(caller)
    listed = [
        {"servers": servers_of(resources, token), "token": token, "until": expires_at(token.text), "number": number}
        for number, token in enumerate(found)
    ]
    own = len(session.approvers)  # beyond them comes the JWT that somebody has signed in with
    return render(
        request,
        "tokens.html",
        422 if failure else 200,
        listed=listed[:own],
        failure=failure,
        every_scope=ALL_SCOPES,
        commands=sorted(resources.config.fleet.servers),
    )


def _inside(wanted: str) -> str:
    """The page to go on to; never one elsewhere."""
    return wanted if _INSIDE.fullmatch(wanted) and not wanted.startswith(SIGN_IN) else f"{PREFIX}/"
