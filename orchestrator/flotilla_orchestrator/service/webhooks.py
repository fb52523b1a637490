"""Delivers events to webhooks: signed as Standard Webhooks 1.0 has it, tried again for a day, by any replica.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx2
from flotilla_kit.errors import StoreUnavailable

from ..config.fleet import Webhook
from ..errors import Failure
from ..journal.journal import Journal
from ..journal.webhook_deliveries import Delivery, claim, dispatch, has_work, record_attempt

logger = logging.getLogger(__name__)

_POLL_S = 0.5
_POLL_NONE_S = 10  # where no webhook is configured: what an earlier configuration has left becomes dead
_TIMEOUT_S = 15
_LEASE_S = 2 * _TIMEOUT_S
_AT_ONCE = 20  # so many are claimed, so that each is tried well within its lease
_RETRIES_S = (5, 300, 1800, 7200, 18_000, 36_000, 36_000)  # the schedule that the specification recommends
_GONE = 410  # the specification's way to say: never again
_SECRET_BYTES = range(24, 65)  # by the specification


def signature(secret: bytes, message_id: str, timestamp: int, body: str) -> str:
    """The value of `webhook-signature`."""
    signed = hmac.digest(secret, f"{message_id}.{timestamp}.{body}".encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(signed).decode()}"


def webhook_secrets(webhooks: Mapping[str, Webhook], environ: Mapping[str, str]) -> dict[str, bytes]:
    """The key of each webhook, by its name.

    Raises:
        Failure: `bad_webhook_secret`.
    """
    return {name: _secret(name, webhook, environ) for name, webhook in webhooks.items()}


@asynccontextmanager
async def webhooks_delivered(
    journal: Journal, webhooks: Mapping[str, Webhook], secrets: Mapping[str, bytes]
) -> AsyncGenerator[None]:
    """Deliver what happens, and what has happened before, while the block lasts."""
    async with httpx2.AsyncClient(timeout=_TIMEOUT_S, limits=httpx2.Limits(max_connections=_AT_ONCE)) as client:
        task = asyncio.create_task(_Sender(journal, webhooks, secrets, client).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


class _Sender:
    def __init__(
        self,
        journal: Journal,
        webhooks: Mapping[str, Webhook],
        secrets: Mapping[str, bytes],
        client: httpx2.AsyncClient,
    ) -> None:
        self._journal, self._webhooks, self._secrets, self._client = journal, webhooks, secrets, client
        self._types = {name: webhook.events for name, webhook in webhooks.items()}

    async def run(self) -> None:
        while True:
            due: Sequence[Delivery] = ()
            try:
                if await self._journal.query(has_work):
                    await self._journal.database.write(dispatch, self._types)
                    due = await self._journal.database.write(claim, _AT_ONCE, _LEASE_S)
                    await asyncio.gather(*(self._deliver(delivery) for delivery in due))
            except StoreUnavailable:
                logger.warning("webhooks wait for the database")
            except Exception:  # must not end deliveries for good
                logger.exception("webhooks failed")
            if len(due) < _AT_ONCE:
                await asyncio.sleep(_POLL_S if self._webhooks else _POLL_NONE_S)

    async def _deliver(self, delivery: Delivery) -> None:
        status, error = await self._attempt(delivery)
        retries = iter(_RETRIES_S[delivery.attempts :])
        retry_after_s = None if status == _GONE else next(retries, None)
        await self._journal.database.write(record_attempt, delivery.delivery_id, error, retry_after_s)
        said = {"delivery_id": delivery.delivery_id, "run": delivery.run_id, "error": error}
        if error:
            logger.warning("webhook_dead" if retry_after_s is None else "webhook_failed", extra=said)

    async def _attempt(self, delivery: Delivery) -> tuple[int | None, str | None]:
        """The status that came, and why it is a failure."""
        webhook, timestamp = self._webhooks.get(delivery.webhook), int(time.time())
        if webhook is None:
            return _GONE, "It is not in fleet.yaml any more."
        headers = {
            "Content-Type": "application/json",
            "webhook-id": delivery.delivery_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(
                self._secrets[delivery.webhook], delivery.delivery_id, timestamp, delivery.body
            ),
        }
        try:
            async with (
                asyncio.timeout(_TIMEOUT_S),  # of all; the client's is of each of its steps
                self._client.stream("POST", webhook.url, content=delivery.body, headers=headers) as answer,
            ):
                status = answer.status_code  # its body is not read: there may be any amount
        except (httpx2.HTTPError, TimeoutError) as error:
            return None, type(error).__name__  # its text may have the address, which may have a secret
        return status, None if 200 <= status < 300 else f"HTTP {status}"


def _secret(name: str, webhook: Webhook, environ: Mapping[str, str]) -> bytes:
    given = environ.get(webhook.secret_variable, "")
    try:
        secret = base64.b64decode(given.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) not in _SECRET_BYTES:
        message = f"The secret of the webhook {name}, {webhook.secret_variable}, is not set, or is none."
        suggestion = "Set it to `whsec_` and 24 to 64 random bytes in base64: openssl rand -base64 32"
        raise Failure("bad_webhook_secret", message, suggestion)
    return secret
