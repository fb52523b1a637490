"""What a run would do, as far as it is known before anything is started: nothing is called, and nothing recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from flotilla_rehearsal.template import TemplateError
from pydantic import JsonValue

from ..config.config import Config
from ..config.limits import Limits
from ..config.playbooks import Playbook, Step, ToolCall
from ..config.workers import Worker
from ..mandates.claims import PlannedFacts, filled_bounds, resolve_scopes, rule_effect
from ..run_request import RunRequest


@dataclass(frozen=True)
class PlannedTool:
    tool: str
    approval: Literal["always", "of changes", "server's rule"]
    """`of changes`: a rule's pattern wants one, unless the tool only reads, which its server will say."""


@dataclass(frozen=True)
class PlannedMandate:
    """What a worker would be allowed on a server (see `ServerView` of `flotilla mandate`, which asks the server)."""

    server: str
    mandates: bool
    """False: the server gets none, for fleet.yaml gives it an Authorization of its own."""
    scope: Mapping[str, str]
    bounds: Mapping[str, JsonValue]
    """By argument: the JSON Schema that its values must satisfy, on each of these tools that takes it."""
    tools: Sequence[PlannedTool]
    denied: Sequence[str]
    """Its file names them, and a rule of fleet.yaml takes them away."""


@dataclass(frozen=True)
class PlannedWorker:
    worker: str
    version: str | None
    description: str
    model: str
    fallback_model: str | None
    delegates: Sequence[str]
    transfers: Sequence[str]
    fallback: str | None
    attempts: int
    limits: Mapping[str, float]
    """Of each of its sessions."""
    resources: Sequence[str]
    servers: Sequence[PlannedMandate]


@dataclass(frozen=True)
class PlannedStep:
    id: str
    needs: Sequence[str]
    worker: str | None
    """None: a person is asked."""
    text: str
    """Its task or question."""
    on_error: str


@dataclass(frozen=True)
class PlannedCall:
    """A call that the run makes itself. `rule`: why a rule of fleet.yaml has it not made."""

    name: str
    tool: str
    arguments: Mapping[str, JsonValue]
    rule: Literal["approve", "deny"] | None = None


@dataclass(frozen=True)
class Bound:
    """The most that a run may use; a session can exceed its dollars by one model call.

    Attributes:
        run: the limits of the run.
        sessions: what its sessions may use together; None where their number is up to the workers.
        most: the smaller of the two.
    """

    run: Mapping[str, float]
    sessions: Mapping[str, float] | None
    most: Mapping[str, float]


@dataclass(frozen=True)
class Check:
    """What a run checks before its first session. `missing` says what is not there, as the run would."""

    what: str
    missing: str | None = None
    suggestion: str = ""


@dataclass(frozen=True)
class RunPlan:
    playbook: str
    version: str | None
    description: str
    model: str
    task: str
    inputs: Mapping[str, JsonValue]
    lead: str | None
    steps: Sequence[PlannedStep]
    workers: Sequence[PlannedWorker]
    delegation_depth: int
    lookups: Sequence[PlannedCall]
    after: Sequence[PlannedCall]
    bound: Bound
    checks: Sequence[Check]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"ready": not any(check.missing for check in self.checks)}


def plan_of(config: Config, request: RunRequest, checks: Sequence[Check]) -> RunPlan:
    """The plan of a run whose inputs have been checked.

    Raises:
        Failure: `bad_bound`, `bad_scope`: it would not start.
    """
    playbook, facts = config.playbooks[request.playbook], PlannedFacts(request.inputs)
    scope = resolve_scopes(playbook, facts)
    return RunPlan(
        playbook=playbook.name,
        version=playbook.version,
        description=playbook.description,
        model=request.model,
        task=request.task,
        inputs=request.inputs,
        lead=playbook.lead,
        steps=[_step(step, facts) for step in playbook.steps],
        workers=[_worker(config, worker, facts, scope) for worker in config.team(playbook)],
        delegation_depth=config.fleet.limits.delegation_depth,
        lookups=[_call(name, call, facts) for name, call in playbook.lookups.items()],
        after=[
            replace(_call(name, call, facts), rule=rule_effect(call.tool, facts, config.rules, reads=False))
            for name, call in playbook.after.items()
        ],
        bound=_bound(config, playbook),
        checks=checks,
    )


def _step(step: Step, facts: PlannedFacts) -> PlannedStep:
    text = step.task or step.approve or ""
    return PlannedStep(step.id, step.needs, step.worker, str(_filled(text, facts)), step.on_error)


def _call(name: str, call: ToolCall, facts: PlannedFacts) -> PlannedCall:
    return PlannedCall(name, call.tool, {key: _filled(value, facts) for key, value in call.arguments.items()})


def _filled(value: JsonValue, facts: PlannedFacts) -> JsonValue:
    """As it is, where it cannot be: only what fills it in the run can say what comes of that."""
    try:
        return facts.render(value)
    except TemplateError:
        return value


def _worker(
    config: Config, worker: Worker, facts: PlannedFacts, scope: Mapping[str, Mapping[str, str]]
) -> PlannedWorker:
    model = worker.model or config.fleet.models.default
    return PlannedWorker(
        worker=worker.name,
        version=worker.version,
        description=worker.description,
        model=model,
        fallback_model=config.fleet.models.fallbacks.get(model),
        delegates=worker.delegates,
        transfers=worker.transfers,
        fallback=worker.fallback,
        attempts=worker.attempts,
        limits=_numbers(worker.limits.with_defaults(config.fleet.limits.session)),
        resources=worker.resources,
        servers=[_mandate(config, worker, server, facts, scope.get(server, {})) for server in worker.servers],
    )


def _mandate(
    config: Config, worker: Worker, server: str, facts: PlannedFacts, scope: Mapping[str, str]
) -> PlannedMandate:
    tools: list[PlannedTool] = []
    denied: list[str] = []
    for name in worker.tools_on(server):
        tool = f"mcp__{server}__{name}"
        effect = rule_effect(tool, facts, config.rules, reads=False)
        if effect == "deny":
            denied.append(name)
        elif effect is None:
            tools.append(PlannedTool(name, "server's rule"))
        else:
            named = any(tool in rule.tools and rule.holds(facts.inputs) for rule in config.rules)
            tools.append(PlannedTool(name, "always" if named else "of changes"))
    mandates = config.fleet.servers[server].gets_mandates
    return PlannedMandate(server, mandates, scope, filled_bounds(worker, server, facts), tools, denied)


def _bound(config: Config, playbook: Playbook) -> Bound:
    run = _numbers(playbook.limits.with_defaults(config.fleet.limits.run))
    if any(worker.delegates or worker.transfers for worker in config.team(playbook)):
        return Bound(run, None, run)
    named = [playbook.lead] if playbook.lead else [step.worker for step in playbook.steps if step.worker]
    each = [_numbers(config.workers[name].limits.with_defaults(config.fleet.limits.session)) for name in named]
    # Attempts, a fallback model and a fallback worker share what the task was given to use.
    sessions = {name: sum(limits[name] for limits in each) for name in run}
    return Bound(run, sessions, {name: min(run[name], sessions[name]) for name in run})


def _numbers(limits: Limits) -> dict[str, float]:
    """Turns, dollars and seconds; the fleet's limits are complete, and so are all that stand on them."""
    return limits.model_dump(exclude_none=True)
