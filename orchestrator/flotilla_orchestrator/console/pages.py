"""How pages are rendered: templates that escape everything, one style, one script, and failures as pages."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from flotilla_kit.terminal.output import visible
from pydantic import JsonValue
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from ..errors import Failure
from ..service.callers import Caller
from ..service.problems import status_of
from ..views.trace_html import FOLDER as TRACE
from ..views.trace_html import environment
from ..views.values import duration, value_text
from .sessions import PREFIX, Session

STATIC = f"{PREFIX}/static/"
_FOLDER = Path(__file__).parent
_STATUSES = {"foreign_origin": 403, "stale_form": 403, "plain_http": 403}
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}

router = APIRouter()


def _joined(*paths: Path) -> bytes:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths).encode()


_ASSETS = {
    "css": _joined(TRACE / "trace.css", _FOLDER / "static" / "console.css"),
    "js": _joined(TRACE / "trace.js", _FOLDER / "static" / "console.js"),
    "svg": _joined(_FOLDER / "static" / "icon.svg"),
}
# A new version has a new address, so browsers may keep each for ever.
_PATHS = {kind: f"{STATIC}{hashlib.sha256(content).hexdigest()[:12]}.{kind}" for kind, content in _ASSETS.items()}


@router.get(STATIC + "{name}")
async def static(name: str) -> Response:
    kind = name.rpartition(".")[2]
    if _PATHS.get(kind) != f"{STATIC}{name}":
        raise HTTPException(404)
    return Response(
        _ASSETS[kind], media_type=_TYPES[kind], headers={"Cache-Control": "public, max-age=31536000, immutable"}
    )


def render(request: Request, template: str, status: int = 200, **context: Any) -> Response:
    """A page for whoever asks: with what they may do, and the token of their forms."""
    session: Session = request.state.session
    caller: Caller | None = getattr(request.state, "caller", None)
    shown = {
        "caller": caller,
        "scopes": caller.scopes if caller else frozenset[str](),
        "session": session,
        "assets": _PATHS,
        "path": request.url.path,
        "prefix": PREFIX,
        "moment": datetime.now(UTC),
        **context,
    }
    text = _environment.get_template(template).render(shown)
    # Text of a model may have half a surrogate pair, which no encoding has a place for.
    response = HTMLResponse(text.encode("utf-8", "replace"), status)
    if session.fresh:
        session.store_seed(response)
    return response


def failure_page(request: Request, failure: Failure, status: int = 400) -> Response:
    """What went wrong, and what to do."""
    found = status_of(failure, _STATUSES.get(failure.code, status))
    return render(request, "failure.html", found, failure=failure)


def exact(value: JsonValue) -> str:
    """A value as JSON, letter by letter: what is not printable, and what reorders text, is escaped."""
    return "\n".join(map(visible, json.dumps(value, ensure_ascii=False, indent=2).split("\n")))


def plain(value: JsonValue) -> str:
    """A value as people read it, with the same escapes."""
    return "\n".join(map(visible, value_text(value).split("\n")))


def words(name: str) -> str:
    return visible(name.replace("_", " "))


def sentence(text: str) -> str:
    """With a capital."""
    return text[:1].upper() + text[1:]


def moment(text: str | None) -> str:
    """`28 Nov 14:05`, UTC; with the year if it is another one."""
    if not text:
        return "—"
    when = datetime.fromisoformat(text).astimezone(UTC)
    year = "" if when.year == datetime.now(UTC).year else f" {when.year}"
    return f"{when.day} {when:%b}{year} {when:%H:%M}"


def left(text: str) -> str:
    """How long it is until then; `over` once it has come."""
    seconds = (datetime.fromisoformat(text) - datetime.now(UTC)).total_seconds()
    return f"in {duration(seconds)}" if seconds > 0 else "over"


def from_epoch(seconds: float) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


_environment = environment(_FOLDER / "templates", TRACE)
_environment.filters |= {"exact": exact, "plain": plain, "words": words, "visible": visible, "sentence": sentence}
_environment.filters |= {"moment": moment, "left": left, "from_epoch": from_epoch}
