"""A person beside a running server who approves whatever waits."""

from flotilla_kit import approvals
from flotilla_kit.identity.principal import Principal
from flotilla_kit.settings import ServerSettings
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_kit.storage.addresses import store_url

ANNA = Principal("approver", "anna")


async def approve_all(settings: ServerSettings) -> int:
    """Approve all that is pending; how many there were."""
    database = await Database.open(store_url(settings), [KIT_MIGRATIONS])
    try:
        waiting = await database.read(approvals.find, settings.server, "pending", 100, None)
        for _, approval in waiting:
            await database.write(approvals.decide, settings.server, approval.approval_id, ANNA, "approve", "")
        return len(waiting)
    finally:
        await database.close()
