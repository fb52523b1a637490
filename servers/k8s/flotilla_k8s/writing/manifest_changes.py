"""An applied manifest as a change: its request, its facts, and how it is found again."""

from ..cluster.place import Place
from .answers import Outcome, Request, outcome, shown
from .applying import apply, preview
from .live import read
from .manifests import Manifest
from .marks import is_marked
from .once import found_result


async def prepare(place: Place, manifest: Manifest, *, force: bool) -> tuple[Request, Outcome]:
    """The request to apply, and the facts, which are what a dry run answers.

    Raises:
        BeingDeleted, FieldConflict, NotFound: see `preview`.
        FlotillaError: the API server would refuse it.
    """
    found = await preview(place, manifest.body, force=force)
    changes = shown(found.changes)
    request = {"manifest": manifest.body, "force": force, **found.as_json(), **changes}
    return request, outcome(place, found.result, uid=found.before, takes=found.taken or None, **changes)


async def perform(place: Place, request: Request, mark: str) -> Outcome:
    result, _ = await apply(place, request["manifest"], mark, request, force=request["force"])
    return _answer(place, request, result)


async def find(place: Place, request: Request, mark: str) -> Outcome | None:
    """What `perform` would answer if its mark is there, whatever became of the fields since."""
    live = await read(place)
    if live is None or not is_marked(live, mark):
        return None
    return _answer(place, request, found_result(live, mark, request["before"]))


def _answer(place: Place, request: Request, result: str) -> Outcome:
    changes = {key: request[key] for key in ("changes", "left_out") if key in request and result == "updated"}
    return outcome(place, result, **changes)
