"""Where money moves. A refund is sent under a key of ours; only a definite answer settles it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

from flotilla_kit.effects import ExternalSystem
from flotilla_kit.errors import OutcomeUnknown

__all__ = [
    "KEYS_KEPT",
    "GatewayEffects",
    "GatewayRefund",
    "GatewayRequest",
    "LedgerGateway",
    "OutcomeUnknown",
    "PaymentGateway",
]

KEYS_KEPT = timedelta(hours=20)  # Stripe may forget a key after 24 h, and clocks differ


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


class GatewayEffects(ExternalSystem):
    """Refunds as external effects in a payment gateway."""

    keys_kept = KEYS_KEPT

    def __init__(self, gateway: PaymentGateway) -> None:
        self._gateway = gateway

    async def perform(self, request: Mapping[str, Any], key: str, /) -> Mapping[str, Any]:
        return asdict(await self._gateway.refund(GatewayRequest(key, **request)))

    async def find(self, request: Mapping[str, Any], key: str, /) -> Mapping[str, Any] | None:
        found = await self._gateway.find_refund(GatewayRequest(key, **request))
        return found and asdict(found)
