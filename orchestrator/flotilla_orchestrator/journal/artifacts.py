"""The artifacts of a run: texts under a name that its workers write for each other, in place of pasting them.

They are in the journal's database, so they survive the process and are there on every machine. They go with their run.
"""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue
from sqlalchemy import Column, ColumnElement, Connection, Integer, MetaData, Table, Text, delete, func, insert, select

from ..config.limits import ArtifactLimits
from ..errors import Failure
from .journal import RUNS, now

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_ARTIFACTS = Table(
    "artifacts",
    MetaData(),
    *(Column(name, Text, primary_key=True) for name in ("run_id", "name")),
    *(Column(name, Text) for name in ("worker", "written_in", "text", "written_at")),
    Column("size", Integer),
)
_FACTS = [_ARTIFACTS.c[name] for name in ("name", "worker", "written_in", "size", "written_at")]

Written = Literal["written", "replaced", "unchanged"]


@dataclass(frozen=True)
class Artifact:
    """What is known of one without its text."""

    name: str
    worker: str
    """Who wrote it."""
    written_in: str
    """The workflow of the session that wrote it; those of a task begin with the name of the task's own."""
    size: int
    """Bytes of UTF-8."""
    written_at: str

    @property
    def facts(self) -> dict[str, JsonValue]:
        """As models and `--json` see it."""
        return {"name": self.name, "bytes": self.size, "worker": self.worker, "written_at": self.written_at}

    def belongs_to(self, workflow: str) -> bool:
        """Whether it was written in the task with this workflow: by any attempt at it, or by others below it."""
        return self.written_in == workflow or self.written_in.startswith((f"{workflow}~", f"{workflow}/"))


@dataclass(frozen=True)
class Author:
    """Who writes: a worker of a run in the workflow of its session."""

    run_id: str
    worker: str
    written_in: str


def write(
    connection: Connection, author: Author, name: str, text: str, limits: ArtifactLimits, *, replace: bool
) -> Written:
    """Write an artifact; the same text under the same name changes nothing, so a call may be made again.

    Raises:
        Failure: `invalid_arguments`: no such name, or a text that is none. `artifact_exists`: there is another text
            under the name, and it is not to be replaced. `not_your_artifact`: another worker wrote it.
            `artifact_too_large`, `artifacts_full`: over the fleet's limits.
    """
    size = _checked_size(name, text, limits)
    # One writer for each run at a time, also on PostgreSQL: the sums have to hold.
    connection.execute(select(RUNS.c.run_id).where(RUNS.c.run_id == author.run_id).with_for_update())
    found = connection.execute(select(_ARTIFACTS).where(_which(author.run_id, name))).one_or_none()
    if found and found.text == text:
        return "unchanged"
    if found and found.worker != author.worker:
        message = f"{name} was written by {found.worker}; only {found.worker} may replace it."
        raise Failure("not_your_artifact", message, "Choose another name.")
    if found and not replace:
        message = f"There is an artifact {name} with another text."
        raise Failure("artifact_exists", message, "Choose another name, or pass replace: true to replace your own.")
    _check_room(connection, author.run_id, name, size, limits)
    connection.execute(delete(_ARTIFACTS).where(_which(author.run_id, name)))
    row = {"worker": author.worker, "written_in": author.written_in, "size": size, "text": text, "written_at": now()}
    connection.execute(insert(_ARTIFACTS).values(run_id=author.run_id, name=name, **row))
    return "replaced" if found else "written"


def read(connection: Connection, run_id: str, name: str) -> str:
    """Its text; raises Failure `unknown_artifact`."""
    text = connection.scalar(select(_ARTIFACTS.c.text).where(_which(run_id, name)))
    if text is None:
        known: list[JsonValue] = [artifact.name for artifact in listed(connection, run_id)]
        message = f"{run_id} has no artifact `{name[:80]}`."
        there = f"There are: {', '.join(map(str, known))}." if known else "It has none."
        raise Failure("unknown_artifact", message, there, details={"artifacts": known})
    return text


def listed(connection: Connection, run_id: str) -> list[Artifact]:
    """All of a run, by name."""
    query = select(*_FACTS).where(_ARTIFACTS.c.run_id == run_id).order_by(_ARTIFACTS.c.name)
    return [Artifact(**row) for row in connection.execute(query).mappings()]


def _which(run_id: str, name: str) -> ColumnElement[bool]:
    return (_ARTIFACTS.c.run_id == run_id) & (_ARTIFACTS.c.name == name)


def _checked_size(name: str, text: str, limits: ArtifactLimits) -> int:
    if not _NAME.fullmatch(name):
        message = f"{name[:80]!r} is no name of an artifact: letters, digits, dots, dashes and underscores, at most 80."
        raise Failure("invalid_arguments", message, "Choose another name, such as findings.md.")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        size = 0
    if not size or "\0" in text:
        raise Failure("invalid_arguments", "The text is empty, or has characters that no file can hold.", "Correct it.")
    if size > limits.bytes_each:
        message = f"The text has {size} bytes; {limits.bytes_each} are the most of one artifact."
        raise Failure("artifact_too_large", message, "Write less, or several artifacts.")
    return size


def _check_room(connection: Connection, run_id: str, name: str, size: int, limits: ArtifactLimits) -> None:
    others = (_ARTIFACTS.c.run_id == run_id) & (_ARTIFACTS.c.name != name)
    count, used = connection.execute(
        select(func.count(), func.coalesce(func.sum(_ARTIFACTS.c.size), 0)).where(others)
    ).one()
    if count >= limits.count or used + size > limits.bytes_all:
        most = f"{limits.count} with {limits.bytes_all} are the most"
        message = f"The run has {count} other artifacts with {used} bytes; {most}."
        raise Failure("artifacts_full", message, "Replace one of your own, or report the essence.")
