"""Starting a run: a form of the playbook's inputs, which keeps what was typed; sent twice, it starts one."""

import json
import secrets
from collections.abc import Mapping
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request, Response
from pydantic import JsonValue, ValidationError
from starlette.responses import RedirectResponse

from .. import provider
from ..config.playbooks import Playbook
from ..errors import Failure
from ..run_request import Priority, input_errors
from ..service.bodies import RunBody
from ..service.callers import Runner
from ..service.problems import status_of
from ..service.resources import Resources, ServiceResources
from ..service.runs_api import submit_run
from .forms import Form
from .input_fields import fields_of, problem_of, read_inputs
from .pages import render
from .sessions import PREFIX

router = APIRouter(prefix=f"{PREFIX}/start")


@router.get("")
async def choose_playbook(
    request: Request, _: Runner, resources: Resources, run: Annotated[str, Query(max_length=80)] = ""
) -> Response:
    """`run`: the one that was just started, for whoever may not look at it."""
    playbooks = [playbook for _, playbook in sorted(resources.config.playbooks.items())]
    phrases = {playbook.name: resources.config.capabilities(playbook) for playbook in playbooks}
    return render(request, "playbooks.html", playbooks=playbooks, phrases=phrases, started=run)


@router.get("/{name}")
async def start_page(
    request: Request,
    name: str,
    _: Runner,
    resources: Resources,
    example: Annotated[bool, Query(description="filled in with the playbook's example")] = False,
) -> Response:
    playbook = _playbook(resources, name)
    typed = {field.key: field.default for field in fields_of(playbook.inputs)}
    if example and playbook.example:
        typed["task"] = playbook.example.task.strip()
        typed |= {f"input.{key}": _typed(value) for key, value in playbook.example.inputs.items()}
    return _page(request, resources, playbook, {**typed, "key": secrets.token_hex(16)})


@router.post("/{name}")
async def start(request: Request, name: str, caller: Runner, resources: Resources, form: Form) -> Response:
    playbook = _playbook(resources, name)
    fields = fields_of(playbook.inputs)
    inputs, problems = read_inputs(fields, form)
    for error in () if problems else input_errors(playbook, inputs):
        where, said = problem_of(error)
        problems.setdefault(where, said)
    if not form.get("task", "").strip():
        problems["task"] = "Is required."
    if problems:
        return _page(request, resources, playbook, form, problems=problems)
    try:
        body = _body(name, form, inputs)
        record, _ = await submit_run(request, resources, caller, body, form.get("key") or None)
    except Failure as failure:
        new = {**form, "key": secrets.token_hex(16)} if failure.code == "idempotency_mismatch" else form
        return _page(request, resources, playbook, new, failure=failure)
    seen = "read" in caller.scopes
    run_id = record["run_id"]
    return RedirectResponse(f"{PREFIX}/runs/{run_id}" if seen else f"{PREFIX}/start?run={run_id}", 303)


def _body(name: str, form: Mapping[str, str], inputs: dict[str, JsonValue]) -> RunBody:
    """Raises Failure `invalid_arguments`."""
    given: dict[str, Any] = {"playbook": name, "task": form["task"], "inputs": inputs}
    given |= {name: form[name] for name in ("model", "priority") if name in form}
    try:
        return RunBody.model_validate(given)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()[:5])
        raise Failure("invalid_arguments", said[:500], "Correct it.") from None


def _page(
    request: Request,
    resources: ServiceResources,
    playbook: Playbook,
    typed: Mapping[str, str],
    *,
    problems: Mapping[str, str] | None = None,
    failure: Failure | None = None,
) -> Response:
    status = 422 if problems else status_of(failure) if failure else 200
    fields = fields_of(playbook.inputs)
    models = _models(resources, playbook)
    context: dict[str, Any] = {"playbook": playbook, "fields": fields, "typed": typed, "models": models}
    context["priorities"] = get_args(Priority)
    known = {"", "task", *(field.name for field in fields)}
    others = [f"{name}: {said}" for name, said in (problems or {}).items() if name not in known]
    return render(request, "start.html", status, problems=problems or {}, others=others, failure=failure, **context)


def _models(resources: ServiceResources, playbook: Playbook) -> list[tuple[str, str]]:
    """What runs can be made with here, the likeliest first."""
    found = [("claude", "Claude")]
    if (resources.config.folder / "rehearsals" / f"{playbook.name}.yaml").exists():
        found.append(("rehearsal", "rehearsal: a script in place of Claude, which costs nothing"))
    try:
        provider.live(resources.environ)
    except Failure:  # no credential
        found.reverse()
    return found


def _playbook(resources: ServiceResources, name: str) -> Playbook:
    """Raises Failure `not_found`."""
    if found := resources.config.playbooks.get(name):
        return found
    raise Failure("not_found", "There is no such playbook.", "Choose one.")


def _typed(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)
