"""What a search finds, and in which order: the same on SQLite and PostgreSQL."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from flotilla_kit.storage import Database
from flotilla_memory import schema
from flotilla_memory.retrieval import index, ranking, words
from flotilla_memory.retrieval.search import Query, search
from sqlalchemy import Connection, delete, insert, select

NOW = "2026-06-01T12:00:00.000+00:00"
ACME, OTHER, STRANGER = 1, 2, 3


@dataclass
class Notebook:
    """A database with what the tests write into it."""

    database: Database
    keys: int = 0
    texts: dict[int, str] = field(default_factory=dict[int, str])

    async def episode(self, *turns: tuple[str, str], on: str = "2026-01-15", account: int = ACME) -> list[int]:
        """Record what was said, one turn after the other; answers the passages' keys."""
        return await self.database.write(self.insert_episode, turns, f"{on}T09:00:00.000+00:00", account)

    def insert_episode(self, conn: Connection, turns: Sequence[tuple[str, str]], at: str, account: int) -> list[int]:
        episode = self.keys + 1
        conn.execute(
            insert(schema.episodes),
            {
                "episode_key": episode,
                "episode_id": f"ep_{episode}",
                "account_key": account,
                "channel": "call",
                "occurred_at": at,
                "content_hash": "",
                "recorded_at": at,
            },
        )
        return [
            self._passage(conn, account, "turn", speaker, text, at, episode_key=episode, position=position)
            for position, (speaker, text) in enumerate(turns, 1)
        ]

    async def memory(self, text: str, *, kind: str = "fact", account: int = ACME, **of: Any) -> int:
        """Record a memory; answers its passage's key."""
        return await self.database.write(self.insert_memory, text, kind, account, of)

    def insert_memory(self, conn: Connection, text: str, kind: str, account: int, of: dict[str, Any]) -> int:
        at = of.setdefault("recorded_at", "2026-01-15T09:00:00.000+00:00")
        key = self._passage(conn, account, kind, of.pop("subject", None), text, at)
        conn.execute(insert(schema.memories), {"passage_key": key, "account_key": account, "content_hash": "", **of})
        return key

    def _passage(
        self, conn: Connection, account: int, kind: str, speaker: str | None, text: str, at: str, **of: int
    ) -> int:
        self.keys += 1
        self.texts[self.keys] = text
        row = {"passage_key": self.keys, "passage_id": f"p{self.keys}", "account_key": account, "kind": kind, **of}
        counts = index.count_terms(speaker, text)
        conn.execute(
            insert(schema.passages),
            {**row, "speaker": speaker, "text": text, "occurred_at": at, "terms": counts.total()},
        )
        index.add(conn, {account: [index.Indexed(self.keys, counts)]})
        return self.keys

    async def find(self, text: str, accounts: Sequence[int] | None = (ACME,), **filters: Any) -> list[str]:
        """The texts found in these accounts, or with None in all of the tenant, best first."""
        query = replace(Query(text, "default", accounts), **filters)
        return [self.texts[found.passage_key] for found in await self.database.read(search, query, NOW)]


@pytest.fixture
async def notebook(database_url: str) -> AsyncGenerator[Notebook]:
    database = await Database.open(database_url, [])

    def create(conn: Connection) -> None:
        schema.metadata.create_all(conn)
        for key, tenant in ((ACME, "default"), (OTHER, "default"), (STRANGER, "another")):
            conn.execute(insert(schema.accounts), {"account_key": key, "tenant_id": tenant, "account_id": f"a{key}"})

    await database.write(create)
    yield Notebook(database)
    await database.close()


CALL = (
    ("Dana", "Good morning, how was the move to the new office?"),
    ("Omar", "Fine, thanks. The printers are still in boxes."),
    ("Dana", "Before we start: did the invoice for the second warehouse arrive?"),
    ("Omar", "It did, on Monday. We will pay it this week."),
    ("Dana", "Lovely. Then let us look at the renewal."),
)


async def test_a_word_is_found_in_all_its_forms_and_regardless_of_case_and_accents(notebook: Notebook) -> None:
    await notebook.memory("They RENEWED the café contract")
    assert await notebook.find("renewing cafe contracts") == ["They RENEWED the café contract"]


async def test_a_verb_is_found_in_its_forms_that_have_another_stem(notebook: Notebook) -> None:
    await notebook.memory("They bought a second van")
    await notebook.memory("Omar forgets to write")
    assert await notebook.find("What did they buy?") == await notebook.find("buying") == ["They bought a second van"]
    unknown = " ".join(f"unknown{number}" for number in range(40))
    for asked in ("was it written?", f"what he wrote {unknown}"):
        assert "Omar forgets to write" in await notebook.find(asked), asked
    (found,) = await notebook.database.read(search, Query("buy", "default", (ACME,)), NOW)
    assert found.why == "has buy"


async def test_where_a_time_is_asked_for_a_weekday_or_a_month_is_one(notebook: Notebook) -> None:
    for where in ("in Lisbon", "on Thursday", "in Porto", "in September", "in Faro"):
        await notebook.memory(f"The demo for the board is {where}")
    found = await notebook.find("When is the demo for the board?")
    assert {text.rpartition(" ")[2] for text in found[:2]} == {"Thursday", "September"}


async def test_what_has_the_question_words_is_first(notebook: Notebook) -> None:
    await notebook.episode(*CALL)
    assert (await notebook.find("second warehouse invoice"))[0].startswith("Before we start")


async def test_the_answer_beside_the_question_is_found_without_any_of_its_words(notebook: Notebook) -> None:
    await notebook.episode(*CALL)
    assert "It did, on Monday. We will pay it this week." in (await notebook.find("second warehouse invoice"))[:3]


async def test_a_passage_alone_has_no_neighbours(notebook: Notebook) -> None:
    await notebook.memory("The invoice for the second warehouse is paid")
    await notebook.memory("Their office has moved")
    assert await notebook.find("second warehouse invoice") == ["The invoice for the second warehouse is paid"]


async def test_what_the_person_named_said_is_before_what_others_said(notebook: Notebook) -> None:
    await notebook.episode(("Omar", "I prefer calls in the morning"), ("Dana", "I prefer calls in the evening"))
    assert (await notebook.find("when does Dana prefer calls"))[0] == "I prefer calls in the evening"
    assert (await notebook.find("when does Omar prefer calls"))[0] == "I prefer calls in the morning"


async def test_what_was_said_at_the_date_named_is_first(notebook: Notebook) -> None:
    for month in ("2025-11", "2026-03", "2026-05"):
        await notebook.episode(("Dana", f"There was an outage, number {month}"), on=f"{month}-09")
    for when in ("in March 2026", "on 9 March 2026", "on March 9th", "on 2026-03-09", "in Q1 2026", "last quarter"):
        assert (await notebook.find(f"Which outage happened {when}?"))[0] == "There was an outage, number 2026-03", when


async def test_the_verb_may_is_no_month(notebook: Notebook) -> None:
    await notebook.episode(("Dana", "Export of reports is allowed"), on="2025-11-03")
    await notebook.episode(("Dana", "Export of reports"), on="2026-05-03")
    assert (await notebook.find("may guests have an export of reports allowed?"))[0] == "Export of reports is allowed"


async def test_a_question_without_words_of_its_own_finds_nothing(notebook: Notebook) -> None:
    await notebook.episode(*CALL)
    for question in ("", "   ", "who are you and what is it", "?!…", "()", "\x00"):
        assert await notebook.find(question) == [], question


async def test_what_nobody_ever_mentioned_is_not_found(notebook: Notebook) -> None:
    await notebook.episode(*CALL)
    assert await notebook.find("zeppelin hangar") == []


async def test_text_without_spaces_is_found_by_a_part_of_it(notebook: Notebook) -> None:
    await notebook.memory("第二倉庫の請求書は月曜日に届きました")
    await notebook.memory("会議は火曜日です")
    for question in ("倉庫の請求書", "請求書"):
        assert (await notebook.find(question))[0] == "第二倉庫の請求書は月曜日に届きました"


async def test_query_syntax_of_databases_is_only_words(notebook: Notebook) -> None:
    await notebook.episode(*CALL)
    for question in (
        "warehouse' OR 1=1 --",
        '"warehouse" NEAR(invoice)',
        "warehouse AND NOT (invoice OR",
        "warehouse* :text ^invoice",
        "warehouse; DROP TABLE passages",
        "warehouse & invoice | !renewal <-> :*",
        "warehouse % _ \\ ${x} {x}",
    ):
        assert "second warehouse" in (await notebook.find(question))[0], question


async def test_a_question_of_ten_thousand_characters_is_answered(notebook: Notebook) -> None:
    await notebook.episode(*CALL)
    noise = " ".join(f"word{number}" for number in range(1_400))
    assert "second warehouse" in (await notebook.find(f"second warehouse invoice {noise}"[:10_000]))[0]


async def test_another_account_is_found_only_where_all_are_asked_for(notebook: Notebook) -> None:
    await notebook.memory("The warehouse of Acme")
    await notebook.memory("The warehouse of Birch", account=OTHER)
    await notebook.memory("The warehouse of a stranger", account=STRANGER)
    assert await notebook.find("warehouse") == ["The warehouse of Acme"]
    assert set(await notebook.find("warehouse", accounts=None)) == {
        "The warehouse of Acme",
        "The warehouse of Birch",
    }
    assert await notebook.find("warehouse", accounts=()) == []


async def test_a_search_is_limited_to_a_time_with_the_whole_last_day(notebook: Notebook) -> None:
    for day in (13, 14, 15):
        await notebook.episode(("Dana", f"outage on the {day}th"), on=f"2026-01-{day}")
    assert set(await notebook.find("outage", since="2026-01-14")) == {"outage on the 14th", "outage on the 15th"}
    assert set(await notebook.find("outage", until="2026-01-14")) == {"outage on the 13th", "outage on the 14th"}
    assert await notebook.find("outage", since="2026-01-13T10:00:00.000+00:00", until="2026-01-14") == [
        "outage on the 14th"
    ]


async def test_a_search_is_limited_to_kinds(notebook: Notebook) -> None:
    await notebook.episode(("Dana", "We talked about the renewal"))
    await notebook.memory("The renewal is decided", kind="decision")
    assert await notebook.find("renewal", kinds=frozenset({"decision"})) == ["The renewal is decided"]
    assert await notebook.find("renewal", kinds=frozenset({"turn"})) == ["We talked about the renewal"]


async def test_a_search_is_limited_to_an_entity_by_any_of_its_names(notebook: Notebook) -> None:
    await notebook.memory("Northwind Traders wants a discount")
    await notebook.memory("The NWT people want a discount too")
    await notebook.memory("A discount was refused", subject="Northwind Traders")
    await notebook.memory("Nobody else wants a discount")

    def entity(conn: Connection) -> None:
        row = {"entity_key": 1, "entity_id": "ent_1", "account_key": ACME, "name": "Northwind Traders"}
        conn.execute(insert(schema.entities), row)
        conn.execute(insert(schema.aliases), {"account_key": ACME, "alias": "nwt", "entity_key": 1})

    await notebook.database.write(entity)
    for name in ("Northwind Traders", "NWT", "ent_1"):
        assert len(await notebook.find("discount", entity=name)) == 3, name
    assert await notebook.find("discount", entity="Southwind") == []


async def test_what_is_no_longer_believed_is_found_only_as_of_then(notebook: Notebook) -> None:
    await notebook.memory("The plan is Basic", retired_at="2026-03-01T00:00:00.000+00:00")
    await notebook.memory("The plan is Premium", recorded_at="2026-03-01T00:00:00.000+00:00")
    assert await notebook.find("plan") == ["The plan is Premium"]
    assert await notebook.find("plan", as_of="2026-02-01") == ["The plan is Basic"]
    assert await notebook.find("plan", as_of="2026-02-28T23:59:59.999Z") == ["The plan is Basic"]
    assert await notebook.find("plan", as_of="2026-03-01T00:00:00.000+00:00") == ["The plan is Premium"]
    assert await notebook.find("plan", as_of="2025-12-31") == []


async def test_what_is_over_is_not_current(notebook: Notebook) -> None:
    await notebook.memory("The trial runs", valid_to="2026-02-01T00:00:00.000+00:00")
    assert await notebook.find("trial") == []
    assert await notebook.find("trial", as_of="2026-01-20") == ["The trial runs"]


async def test_what_was_said_later_is_not_known_as_of_before(notebook: Notebook) -> None:
    await notebook.episode(("Dana", "The outage is over"), on="2026-02-02")
    assert await notebook.find("outage", as_of="2026-02-01") == []
    assert await notebook.find("outage", as_of="2026-02-02") == ["The outage is over"]


async def test_the_one_current_version_is_found_among_hundreds_of_retired_ones(notebook: Notebook) -> None:
    await notebook.memory("the plan has many seats")
    at = "2026-03-01T00:00:00.000+00:00"
    texts = {key: f"the plan has {key} seats" for key in range(1_000, 1_500)}

    def write(conn: Connection) -> None:
        row = {"account_key": ACME, "kind": "fact", "occurred_at": at, "terms": 3}
        of = {"account_key": ACME, "content_hash": "", "recorded_at": "2026-02-01", "retired_at": at}
        rows = [{**row, "passage_key": key, "passage_id": f"p{key}", "text": text} for key, text in texts.items()]
        conn.execute(insert(schema.passages), rows)
        conn.execute(insert(schema.memories), [{**of, "passage_key": key} for key in texts])
        index.add(conn, {ACME: [index.Indexed(key, index.count_terms(None, text)) for key, text in texts.items()]})

    await notebook.database.write(write)
    assert await notebook.find("how many seats has the plan") == ["the plan has many seats"]


async def test_what_is_removed_from_the_index_leaves_no_trace_in_it(notebook: Notebook) -> None:
    key = await notebook.memory("The secret zeppelin")

    def state(conn: Connection) -> tuple[int, int, list[Any]]:
        counted = select(schema.accounts.c.passages, schema.accounts.c.terms).where(
            schema.accounts.c.account_key == ACME
        )
        passages, terms = conn.execute(counted).one()
        return passages, terms, list(conn.execute(select(schema.postings)))

    def erase(conn: Connection) -> None:
        index.remove(conn, ACME, [key])
        conn.execute(delete(schema.memories))
        conn.execute(delete(schema.passages))

    assert (await notebook.database.read(state))[:2] == (1, 2)
    await notebook.database.write(erase)
    assert await notebook.database.read(state) == (0, 0, [])
    assert await notebook.find("zeppelin") == []


async def test_a_hit_says_in_words_why_it_was_found(notebook: Notebook) -> None:
    await notebook.episode(*CALL)
    query = Query("What did Dana say of the warehouse in January 2026?", "default", (ACME,))
    first = (await notebook.database.read(search, query, NOW))[0]
    assert first.why == "has warehouse; by Dana; on 2026-01-15"


async def test_a_hit_says_that_most_of_the_question_is_nowhere(notebook: Notebook) -> None:
    await notebook.episode(*CALL)
    query = Query("Which zeppelin flew the invoice to Lisbon?", "default", (ACME,))
    first = (await notebook.database.read(search, query, NOW))[0]
    assert first.why == "has invoice; nothing has zeppelin, flew, Lisbon"


async def test_a_hit_says_that_it_has_only_what_many_passages_have(notebook: Notebook) -> None:
    for number in range(60):
        await notebook.memory(f"invoice {number} was paid")
    await notebook.memory("the zeppelin is in Lisbon")
    query = Query("Which zeppelin brought the invoice to Lisbon?", "default", (ACME,))
    why = [found.why for found in await notebook.database.read(search, query, NOW)]
    assert why[0] == "has Lisbon, zeppelin" and why[1] == "has only common words: invoice"


async def test_a_text_that_names_somebody_is_before_the_same_of_others(notebook: Notebook) -> None:
    for number in range(100):
        for name in ("anna", "ben", "carla", "dan"):
            await notebook.memory(f"{name} says number {number}")
    assert (await notebook.find("anna says number 94"))[0] == "anna says number 94"


@pytest.mark.parametrize("said", ["She is dying to see the invoices", "Lying skies, tied ties", "Café 会社の電話"])
def test_pairs_of_terms_are_told_without_the_stems_of_all_words(said: str) -> None:
    for asked in (words.terms(said), words.terms("invoices of the dying sky"), words.terms("会社")):
        told = words.matching(asked, words.unstemmed(said))
        assert ranking.bigrams(asked, told) == ranking.bigrams(asked, words.terms(said))


async def test_at_most_the_limit_is_answered_and_always_in_the_same_order(notebook: Notebook) -> None:
    for number in range(30):
        await notebook.memory(f"warehouse {number}")
    first = await notebook.find("warehouse", limit=7)
    assert len(first) == 7
    assert first == await notebook.find("warehouse", limit=7) == (await notebook.find("warehouse", limit=20))[:7]
