"""`python -m benchmarks.crm_scale`: look-ups, searches and reviews in a CRM of many contacts, over MCP.

A fiftieth of the contacts are accounts; names are drawn as they are in life, a few often and most seldom. Records begin
without a history, which none of these reads looks through but for its newest rows.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from flotilla_crm.records import ACCOUNT
from flotilla_crm.schema import activities, contacts, deals, search_words
from flotilla_crm.sql_store import MIGRATIONS
from flotilla_crm.writing import index, rows
from flotilla_crm.writing.history import Origin
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from sqlalchemy import Connection, Table, func, insert, select, text

from .large import WEIGHTS, WORDS, over_stdio, percentiles, timed
from .servers import BIN, resident

AT = "2026-03-01T09:00:00.000+00:00"
BATCH = 20_000
PER_ACCOUNT, ACTIVITIES = 50, 3
WARM_UP = 20  # calls


class People:
    """Names without end, the same in every run."""

    def name(self, number: int, salt: str) -> str:
        """The first or last name of a contact."""
        return random.Random(f"{number} {salt}").choices(WORDS, cum_weights=WEIGHTS)[0]

    def email(self, number: int) -> str:
        return f"{self.name(number, 'first')}.{number}@{account_of(number)}.example"


def account_of(number: int) -> str:
    return f"acc{number // PER_ACCOUNT}"


def fill(conn: Connection, people: People, first: int, count: int) -> None:
    """Write so many contacts with their words, activities, and accounts with a deal each."""
    stamp = {"version": 1, "created_at": AT, "updated_at": AT}
    of = [number for number in range(first, first + count) if number % PER_ACCOUNT == 0]
    given = [{"account_id": account_of(n), "name": f"{people.name(n, 'account').title()} Ltd"} for n in of]
    rows.create(conn, ACCOUNT, given, Origin("import", AT))
    sale = {**stamp, "pipeline_id": "sales", "stage": "Proposal", "stage_kind": "open", "name_folded": "licences"}
    sales = [{**sale, "deal_id": f"deal{n}", "account_id": account_of(n), "name": "Licences"} for n in of]
    _insert(conn, deals, sales)
    written = [_contact(people, number) for number in range(first, first + count)]
    _insert(conn, contacts, [{**stamp, **one} for one in written])
    words = (row for one in written for row in index.rows("contact", one["contact_id"], one["account_id"], one))
    _insert(conn, search_words, list(words))
    _insert(conn, activities, [{**stamp, **one} for one in _activities(first, count)])


def _contact(people: People, number: int) -> dict[str, Any]:
    email = people.email(number)
    return {
        "contact_id": f"con{number}",
        "account_id": account_of(number),
        "first_name": people.name(number, "first"),
        "last_name": people.name(number, "last"),
        "email": email,
        "email_key": email,
        "email_domain": email.partition("@")[2],
        "status": "active",
    }


def _activities(first: int, count: int) -> Iterator[dict[str, Any]]:
    for number in range(first * ACTIVITIES, (first + count) * ACTIVITIES):
        contact = number // ACTIVITIES
        yield {
            "activity_id": f"act{number}",
            "account_id": account_of(contact),
            "contact_id": f"con{contact}",
            "kind": ("call", "email", "meeting")[number % 3],
            "direction": "inbound" if number % 2 else "outbound",
            "subject": f"About the order {number}",
            "occurred_at": f"2026-0{number % 3 + 1}-{number % 28 + 1:02}T09:00:00.000+00:00",
        }


def _insert(conn: Connection, table: Table, given: Sequence[dict[str, Any]]) -> None:
    if given:
        conn.execute(insert(table), list(given))


async def measure(home: Path, database_url: str | None, size: int, calls: int) -> None:
    """Fill a store, or one that was begun before to its end, and print what reads of it take (of no calls, nothing)."""
    database = await Database.open(
        database_url or f"sqlite:///{home / 'crm.db'}", [KIT_MIGRATIONS, MIGRATIONS], read_only=False
    )
    people = People()
    started = time.process_time()
    present = await database.read(lambda conn: conn.execute(select(func.count()).select_from(contacts)).scalar_one())
    for first in range(present, size, BATCH):
        await database.write(fill, people, first, min(BATCH, size - first))
    if database_url:
        await database.write(lambda conn: conn.execute(text("ANALYZE")))
    await database.close()
    filled = time.process_time() - started
    print(f"{size} contacts, {size * ACTIVITIES} activities, {size // PER_ACCOUNT} accounts; filled in {filled:.0f} s")
    if not calls:
        return
    draw = random.Random(5)

    def email() -> dict[str, Any]:
        return {"email": people.email(draw.randrange(size))}

    def search() -> dict[str, Any]:
        number = draw.randrange(size)
        first, last = people.name(number, "first"), people.name(number, "last")
        return {"query": draw.choice([first, last, f"{first} {last}", last[:3], f"{last[:4]} {first[:3]}"])}

    def review() -> dict[str, Any]:
        return {"account_id": account_of(draw.randrange(size))}

    command = [str(BIN / "flotilla-crm"), "--home", str(home), "--as-of", "2026-03-31"]
    environment = {"DATABASE_URL": database_url} if database_url else {}
    reads: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
        "look-up by e-mail": ("get_contact_by_email", email),
        "search": ("search_accounts", search),
        "account review": ("get_account_review", review),
    }
    async with over_stdio(command, home / "log", environment) as client:
        print(f"{'over MCP':20}{'p50 ms':>8}{'p95 ms':>8}{'server ms':>11}")
        for name, (tool, arguments) in reads.items():
            await timed(client, ((tool, arguments()) for _ in range(WARM_UP)))
            before = _processor(command)
            taken = await timed(client, ((tool, arguments()) for _ in range(calls)))
            spent = (_processor(command) - before) / calls
            print(f"{name:20}{percentiles(taken)}{spent * 1e3:>11.1f}")
        print(f"{resident(' '.join(command)) / 1e6:.0f} MB of memory")


def _processor(command: Sequence[str]) -> float:
    """Seconds of processor time that the server with this command line has had, on Linux."""
    wanted = " ".join(command)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (process / "cmdline").read_text().replace("\0", " "):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            continue
    return 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.crm_scale", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--database-url", help="of a PostgreSQL database for this alone; else SQLite")
    parser.add_argument("--home", type=Path, help="where the store stays, to be measured again; else it is temporary")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(options.home or Path(folder), options.database_url, options.contacts, options.calls))


if __name__ == "__main__":
    main()
