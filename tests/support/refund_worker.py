"""A process that issues one refund and, at a named place in it, is killed as `kill -9` does.

python -m support.refund_worker '{"home", "database_url", "gateway", "key", "site", "naive"}'
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from flotilla_billing.models import Refund, Scope
from flotilla_billing.settings import Settings
from flotilla_billing.sql_store import SqlBillingStore
from flotilla_kit.effects import Effect, digest, faults

from support.gateway import HttpGateway

SITES = ("before_reserve", "reserving", "after_reserve", "before_send", "after_send", "settling", "after_settle")


@dataclass(frozen=True)
class Job:
    """One refund of 1.00 on a charge; the key makes it one effect."""

    home: str
    database_url: str
    gateway: str
    key: str
    transaction_id: str
    naive: bool = False
    site: str | None = None

    def store(self) -> SqlBillingStore:
        settings = Settings.load({"home": Path(self.home), "database_url": self.database_url})
        settings = settings.model_copy(update={"refund_approval_above_minor": 10**9})  # approvals have their own proof
        return SqlBillingStore(settings, HttpGateway(self.gateway, fresh_keys=self.naive))

    async def issue(self, store: SqlBillingStore) -> Refund:
        arguments = {"transaction_id": self.transaction_id, "amount_minor": 100}
        effect = Effect("owner", "", "issue_refund", self.key, digest(arguments))
        return await store.issue_refund(Scope(), effect, self.transaction_id, 100, "USD", "crash proof")

    def as_json(self) -> str:
        return json.dumps(asdict(self))


async def main() -> None:
    job = Job(**json.loads(sys.argv[1]))

    def kill_here(name: str) -> None:
        if name == job.site:
            os.kill(os.getpid(), signal.SIGKILL)

    faults.hook = kill_here
    store = job.store()
    await store.open()
    await job.issue(store)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main())
