"""What was delivered to webhooks, and what could not be."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from ..config.fleet import WebhookEvent
from ..journal.webhook_deliveries import Delivery, State, deliveries, retry
from .callers import Reader, Runner
from .paging import page_of, position_of
from .problems import AsciiJson, documented
from .records import Shape
from .resources import Resources

router = APIRouter(prefix="/v1/webhooks/deliveries", tags=["webhooks"])

DeliveryId = Annotated[str, Path(pattern=r"^whd_[0-9a-f]{24}_[a-z0-9-]{1,64}$", description="its `webhook-id`")]


class DeliveryShape(Shape):
    """An event for a webhook. `due_at`: when a pending one is tried next."""

    delivery_id: str
    run_id: str
    webhook: str
    type: WebhookEvent
    state: State
    attempts: int
    due_at: str | None
    created_at: str
    ended_at: str | None
    error: str | None = Field(description="why the last attempt failed")
    body: str = Field(description="what is sent")


class DeliveryPage(Shape):
    """Deliveries, newest first. `next_cursor` is null on the last page."""

    items: list[DeliveryShape]
    next_cursor: str | None


@router.get("", summary="List deliveries", response_model=DeliveryPage, responses=documented())
async def list_deliveries(
    _: Reader,
    resources: Resources,
    state: Annotated[State | None, Query(description="dead: given up")] = None,
    cursor: Annotated[str | None, Query(max_length=500, description="next_cursor of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """The dead ones are what a receiver has missed."""
    found = await resources.journal.query(deliveries, state, limit + 1, position_of(cursor))
    page, following = page_of(found, limit, lambda delivery: (delivery.created_at, delivery.delivery_id))
    return AsciiJson({"items": [_shown(delivery) for delivery in page], "next_cursor": following})


@router.post(
    "/{delivery_id}/retry",
    status_code=202,
    summary="Deliver again",
    response_model=DeliveryShape,
    responses=documented(404, 409),
)
async def retry_delivery(delivery_id: DeliveryId, _: Runner, resources: Resources) -> Response:
    """A dead delivery is tried again now, and as often as a new one."""
    return AsciiJson(_shown(await resources.journal.database.write(retry, delivery_id)), 202)


def _shown(delivery: Delivery) -> dict[str, object]:
    shown = asdict(delivery)
    return shown if delivery.state == "pending" else {**shown, "due_at": None}
