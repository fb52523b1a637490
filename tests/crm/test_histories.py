"""Whatever is done to records, in whatever order, their history makes them as they are."""

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from flotilla_crm.access import Access
from flotilla_crm.changes import activities, contacts, deals
from flotilla_crm.changes.once import Change, Outcome
from flotilla_crm.formats.importing import IMPORTERS
from flotilla_crm.records import CONTACT, DEAL
from flotilla_crm.sql_store import MIGRATIONS
from flotilla_crm.values import stored
from flotilla_kit.effects import Effect
from flotilla_kit.errors import FlotillaError
from flotilla_kit.imports import ImportRefused, Source, load
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_kit.testing import share
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from support.crm_client import ACME, OTHER, accounts
from support.histories import check

NAMES = st.sampled_from(["Berg", "Bergström", "Åse", "O'Neil", "田中", "x" * 200])
ADDRESSES = st.sampled_from([f"{name}@acme.example" for name in "abc"])
CONTACT_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "last_name": NAMES,
        "first_name": st.one_of(st.none(), NAMES),
        "email": st.one_of(st.none(), ADDRESSES),
        "phone": st.sampled_from(["+4722123456", "+14155552671", None]),
        "title": st.text(max_size=20).filter(lambda text: "\0" not in text and text.isprintable()),
        "role": st.sampled_from(["champion", "user", None]),
    },
)
DEAL_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "stage": st.sampled_from(["Qualification", "Proposal", "Closed Won", "Closed Lost"]),
        "amount_minor": st.integers(0, 10**9),
        "currency": st.sampled_from(["USD", "JPY"]),
        "close_on": st.dates().map(lambda day: day.isoformat()),
        "next_step": NAMES,
    },
)
Seen = tuple[str, int]
"""An id and a version, which may be old by now."""


class Records(RuleBasedStateMachine):
    """Creates, updates, merges, activities and imports; stale ones are refused and change nothing."""

    people: Bundle[Seen] = Bundle("people")
    sales: Bundle[Seen] = Bundle("sales")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.keys = itertools.count()

    @initialize()
    def open(self) -> None:
        self.database = self.run(Database.open("sqlite://", [KIT_MIGRATIONS, MIGRATIONS]))
        self.run(self.database.write(accounts))

    def teardown(self) -> None:
        self.run(self.database.close())
        self.loop.close()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def change(self, make: Callable[..., Outcome], *args: Any) -> Outcome | None:
        """What a change answers; None if it is refused."""
        key = f"key {next(self.keys)}"
        effect = Effect(principal="worker", run="run", tool="any", key=key, digest=key, server="crm")
        try:
            return self.run(self.database.write(make, Change(Access(), effect, approval=False), *args))
        except FlotillaError:
            return None

    @rule(target=people, given=CONTACT_FIELDS, account=st.sampled_from([ACME, OTHER, None]))
    def create_contact(self, given: dict[str, Any], account: str | None) -> Seen:
        values = stored(CONTACT, {"account_id": account, "last_name": "Nemo", **given})
        done = self.change(contacts.create, values)
        return (done["contact_id"], 1) if done else ("con_none", 1)

    @rule(target=people, seen=people, given=CONTACT_FIELDS)
    def update_contact(self, seen: Seen, given: dict[str, Any]) -> Seen:
        done = self.change(contacts.update, *seen, stored(CONTACT, given))
        return (seen[0], done["version"]) if done else seen

    @rule(winner=people, loser=consumes(people))
    def merge(self, winner: Seen, loser: Seen) -> None:
        self.change(contacts.merge, winner[0], loser[0], winner[1], loser[1])

    @rule(target=sales, given=DEAL_FIELDS, person=people)
    def create_deal(self, given: dict[str, Any], person: Seen) -> Seen:
        values = stored(DEAL, {"account_id": ACME, "name": "Deal", "pipeline_id": "sales", **given})
        done = self.change(deals.create, values, [{"contact_id": person[0], "role": None}])
        return (done["deal_id"], 1) if done else ("deal_none", 1)

    @rule(target=sales, seen=sales, given=DEAL_FIELDS)
    def update_deal(self, seen: Seen, given: dict[str, Any]) -> Seen:
        done = self.change(deals.update, *seen, stored(DEAL, given))
        return (seen[0], done["version"]) if done else seen

    @rule(person=people)
    def log_activity(self, person: Seen) -> None:
        self.change(activities.log, {"account_id": ACME, "kind": "call", "contact_id": person[0]})

    @rule(names=st.lists(st.tuples(NAMES, ADDRESSES), max_size=3))
    def import_contacts(self, names: list[tuple[str, str]]) -> None:
        text = "".join(f"{name},{address},acme freight\n" for name, address in names)
        importer = next(one for one in IMPORTERS if one.format.name == "contacts")
        source = Source(f"last name,email,account name\n{text}")
        with suppress(ImportRefused):
            self.run(self.database.write(load, importer, source))

    @invariant()
    def the_history_makes_what_is_there(self) -> None:
        if hasattr(self, "database"):
            self.run(self.database.read(check))


@pytest.mark.prove
def test_the_history_of_whatever_is_done_makes_what_is_there() -> None:
    Records.TestCase.settings = settings(max_examples=share(200), stateful_step_count=25, deadline=None)
    Records.TestCase().runTest()
