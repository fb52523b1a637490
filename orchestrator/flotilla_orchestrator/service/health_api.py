"""Whether the service lives and can work; open to all, and says nothing else."""

from fastapi import APIRouter, Response
from flotilla_kit.errors import StoreUnavailable

from .problems import AsciiJson
from .resources import Resources

router = APIRouter(tags=["health"])
_STATUS = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
_CONTENT = {"application/json": {"schema": _STATUS}}


@router.get("/healthz", summary="The process answers", responses={200: {"content": _CONTENT}})
async def healthz() -> Response:
    return AsciiJson({"status": "ok"})


@router.get(
    "/readyz",
    summary="Its database answers, and it is not about to end",
    responses={200: {"content": _CONTENT}, 503: {"description": "Not ready", "content": _CONTENT}},
)
async def readyz(resources: Resources) -> Response:
    if resources.stopping.is_set():
        return AsciiJson({"status": "stopping"}, 503)
    try:
        await resources.journal.database.ping()
    except StoreUnavailable:
        return AsciiJson({"status": "unavailable"}, 503)
    return AsciiJson({"status": "ok"})
