"""Where money moves. A refund is sent under a key of ours; only a definite answer settles it."""

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class GatewayRequest:
    """One refund to send. `key` is the refund's own id: the same for every attempt, ever."""

    key: str
    transaction_id: str
    amount_minor: int
    currency: str


@dataclass(frozen=True)
class GatewayRefund:
    """The gateway's definite answer."""

    gateway_refund_id: str
    status: Literal["succeeded", "declined"]
    decline_reason: str | None = None


class OutcomeUnknown(Exception):
    """The gateway may or may not have acted: a timeout, a lost connection, a server error. Not a failure."""


class PaymentGateway(Protocol):
    """Must accept a key again without a second effect, at least as long as a refund can stay unsettled."""

    async def refund(self, request: GatewayRequest) -> GatewayRefund:
        """Send the refund, or learn what became of it if this key was sent before.

        Raises:
            OutcomeUnknown: there is no definite answer; ask again later with the same key.
        """
        ...


class LedgerGateway:
    """The embedded backend's gateway: accepts every refund and records it in our own books. It moves no money."""

    async def refund(self, request: GatewayRequest) -> GatewayRefund:
        return GatewayRefund(gateway_refund_id=f"book_{request.key}", status="succeeded")
