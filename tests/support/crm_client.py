"""The owner's client of a CRM server, in the words of its tests."""

from typing import Any

from flotilla_crm.records import ACCOUNT
from flotilla_crm.schema import users
from flotilla_crm.settings import Settings
from flotilla_crm.writing import rows
from flotilla_crm.writing.history import Origin
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_kit.storage.addresses import store_url
from sqlalchemy import Connection, insert

from .owner_client import Answer, Owner

ACME, OTHER = "acc_acme", "acc_other"
AT = "2026-03-01T09:00:00.000+00:00"


def accounts(conn: Connection) -> None:
    """Two accounts, and a user who looks after them."""
    lena = {"user_id": "usr_lena", "name": "Lena Fuchs", "email": "lena@us.example", "name_folded": "lena fuchs"}
    conn.execute(insert(users).values(lena))
    given = [
        {"account_id": ACME, "name": "Acme Freight", "domain": "acme.example", "owner_id": "usr_lena"},
        {"account_id": OTHER, "name": "Other Bakery", "domain": "other.example"},
    ]
    rows.create(conn, ACCOUNT, given, Origin("import", AT))


async def prepared(settings: Settings) -> None:
    """A store with the two accounts."""
    from flotilla_crm.sql_store import MIGRATIONS

    database = await Database.open(store_url(settings), [KIT_MIGRATIONS, MIGRATIONS])
    await database.write(accounts)
    await database.close()


class Crm(Owner[Settings]):
    """The owner's client of a CRM server; a change is approved before it is answered."""

    async def contact(self, last_name: str = "Berg", **arguments: Any) -> Answer:
        """A new contact of Acme's; what `create_contact` answers."""
        done = await self.approved("create_contact", **{"account_id": ACME, "last_name": last_name, **arguments})
        assert "contact_id" in done, done
        return done

    async def deal(self, name: str = "Licences", **arguments: Any) -> Answer:
        """A new deal of Acme's; what `create_deal` answers."""
        done = await self.approved("create_deal", **{"account_id": ACME, "name": name, **arguments})
        assert "deal_id" in done, done
        return done

    async def activity(self, kind: str = "call", **arguments: Any) -> Answer:
        """A new activity at Acme; what `log_activity` answers."""
        done = await self.approved("log_activity", **{"account_id": ACME, "kind": kind, **arguments})
        assert "activity_id" in done, done
        return done

    async def contacts(self, account_id: str = ACME, **arguments: Any) -> list[Answer]:
        return list((await self.call("list_account_contacts", account_id=account_id, **arguments))["items"])
