"""Accounts by their ids; a writer holds its accounts until its transaction ends."""

from collections.abc import Collection, Sequence

from flotilla_kit.storage.statements import chunks, insert_new
from sqlalchemy import Connection, select

from ..schema import accounts

a = accounts.c


def lock(conn: Connection, tenant_id: str, account_ids: Collection[str]) -> dict[str, int]:
    """The keys of these accounts, made if they are new; others that write to one of them wait for this transaction."""
    ids = sorted(account_ids)  # in one order, so that two writers never wait for each other
    known = _keys(conn, tenant_id, ids)
    if new := [account_id for account_id in ids if account_id not in known]:
        insert_new(conn, accounts, [{"tenant_id": tenant_id, "account_id": account_id} for account_id in new])
        known = _keys(conn, tenant_id, ids)
    return known


def lock_known(conn: Connection, tenant_id: str, account_id: str) -> int | None:
    """The key of an account, locked as by `lock`; None if there is none, or no longer when its writer has ended."""
    return _keys(conn, tenant_id, [account_id]).get(account_id)


def _keys(conn: Connection, tenant_id: str, ids: Sequence[str]) -> dict[str, int]:
    keys: dict[str, int] = {}
    for some in chunks(ids):
        found = (
            select(a.account_id, a.account_key)
            .where(a.tenant_id == tenant_id, a.account_id.in_(some))
            .order_by(a.account_id)
            .with_for_update()
        )
        keys |= {str(account_id): int(key) for account_id, key in conn.execute(found)}
    return keys
