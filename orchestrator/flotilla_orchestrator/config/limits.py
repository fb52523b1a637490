"""Limits: what runs, sessions and model calls may use, and when a server is left alone."""

from pydantic import Field, field_validator

from .fields import FileModel


class Limits(FileModel):
    """What one session may use at most; what is not given comes from the fleet's `limits.session`."""

    max_turns: int | None = Field(default=None, ge=1, le=1000, strict=True, description="model calls")
    budget_usd: float | None = Field(default=None, gt=0, le=10_000)
    wall_clock_s: float | None = Field(default=None, gt=0, le=86_400)

    def with_defaults(self, defaults: "Limits") -> "Limits":
        """These limits, with `defaults` for those that are not given."""
        return Limits(**{**defaults.model_dump(exclude_none=True), **self.model_dump(exclude_none=True)})


RUN_DEFAULTS = Limits(max_turns=25, budget_usd=1, wall_clock_s=300)
SESSION_DEFAULTS = Limits(max_turns=12, budget_usd=0.25, wall_clock_s=120)
SESSION_WAIT_S = 60  # by default, and at a terminal: people answer soon there, or not at all
ROUTER_DEFAULTS = Limits(max_turns=3, budget_usd=0.05, wall_clock_s=60)


class BreakerLimits(FileModel):
    """When a server that does not answer is left alone."""

    failures: int = Field(default=3, ge=1, le=100, description="in a row, over all runs, that open its circuit")
    open_s: float = Field(default=60, gt=0, le=86_400, description="how long; then one session may try it")


class ArtifactLimits(FileModel):
    """How much the workers of a run may write for each other."""

    bytes_each: int = Field(default=256 * 1024, ge=1, le=16 * 1024 * 1024, description="of one, in UTF-8")
    bytes_all: int = Field(default=4 * 1024 * 1024, ge=1, le=256 * 1024 * 1024, description="of all of a run")
    count: int = Field(default=64, ge=1, le=1000)


class FleetLimits(FileModel):
    """What a run, each of its sessions and each model call may use when no file says otherwise."""

    run: Limits = RUN_DEFAULTS
    session: Limits = SESSION_DEFAULTS
    router: Limits = Field(default=ROUTER_DEFAULTS, description="the session by which `flotilla ask` finds a playbook")
    model_call_s: float = Field(default=30, gt=0, description="how long a model call may take before it is retried")
    retries: int = Field(default=3, ge=0, le=10)
    delegation_depth: int = Field(default=5, ge=1, le=10)
    breaker: BreakerLimits = BreakerLimits()
    artifacts: ArtifactLimits = ArtifactLimits()
    session_wait_s: float | None = Field(
        default=None,
        ge=0,
        le=600,
        description="how long a session keeps its process while its calls wait (default: 60 at a terminal, 10 queued)",
    )
    transcripts_days: int = Field(default=30, ge=1, le=3650, description="what `flotilla runs --prune` keeps")

    @field_validator("run")
    @classmethod
    def _complete_run(cls, given: Limits) -> Limits:
        """A file may name one limit and leave the others at their defaults."""
        return given.with_defaults(RUN_DEFAULTS)

    @field_validator("session")
    @classmethod
    def _complete_session(cls, given: Limits) -> Limits:
        return given.with_defaults(SESSION_DEFAULTS)

    @field_validator("router")
    @classmethod
    def _complete_router(cls, given: Limits) -> Limits:
        return given.with_defaults(ROUTER_DEFAULTS)
