"""Where money moves. A refund is sent under a key of ours; only a definite answer settles it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

KEYS_KEPT = timedelta(hours=20)  # Stripe may forget a key after 24 h, and clocks differ


@dataclass(frozen=True)
class GatewayRequest:
    """One refund to send. `key` is the refund's own id: the same for every attempt, ever."""

    key: str
    transaction_id: str
    amount_minor: int
    currency: str
    reserved_at: datetime


@dataclass(frozen=True)
class GatewayRefund:
    """The gateway's definite answer."""

    gateway_refund_id: str
    status: Literal["succeeded", "declined"]
    decline_reason: str | None = None


class OutcomeUnknown(Exception):
    """The gateway may or may not have acted: a timeout, a lost connection, a server error. Not a failure."""


class PaymentGateway(Protocol):
    """Accepts a key again without a second effect for `KEYS_KEPT`; later it is asked before it is told again."""

    async def refund(self, request: GatewayRequest) -> GatewayRefund:
        """Send the refund, or learn what became of it if this key was sent before.

        Raises:
            OutcomeUnknown: there is no definite answer; ask again later with the same key.
        """
        ...

    async def find_refund(self, request: GatewayRequest) -> GatewayRefund | None:
        """What became of a refund sent long ago, by the gateway's records of refunds; None if it never arrived.

        Raises:
            OutcomeUnknown: there is no definite answer; ask again later.
        """
        ...


class LedgerGateway:
    """The embedded backend's gateway: accepts every refund and records it in our own books. It moves no money."""

    async def refund(self, request: GatewayRequest) -> GatewayRefund:
        return GatewayRefund(gateway_refund_id=f"book_{request.key}", status="succeeded")

    async def find_refund(self, request: GatewayRequest) -> GatewayRefund | None:
        return None  # what our own books know is settled already
