"""A search by meaning, with the encoder of the extra: through the server, once on SQLite and once on PostgreSQL."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from fastmcp import Client
from flotilla_kit.settings import SettingsError
from flotilla_kit.storage import Database
from flotilla_kit.storage.addresses import store_url
from flotilla_memory.encoding.encoder import Encoder, encoder_of
from flotilla_memory.encoding.wordpiece import UNCASED, WordPiece
from flotilla_memory.schema import encoded, vectors
from flotilla_memory.server import create_server
from flotilla_memory.settings import Settings
from sqlalchemy import Connection, func, select
from support.memory_client import ACME, Memory

SAID = [
    {"speaker": "Dana", "text": "The printers are still in boxes."},
    {"speaker": "Omar", "text": "My daughter was born on Sunday, she is healthy."},
    {"speaker": "Dana", "text": "We pay invoices on Fridays."},
]
ASKED = "When did the baby arrive?"


@pytest.fixture
async def semantic(database_url: str, tmp_path: Path) -> AsyncGenerator[Memory]:
    settings = Settings.load({"home": tmp_path, "database_url": database_url, "encoder": "minilm"})
    async with Client(create_server(settings)) as client:
        yield Memory(client, settings)


def counted(conn: Connection) -> tuple[int, int]:
    """How many vectors there are, and how many of them the accounts say they have."""
    said = select(func.coalesce(func.sum(encoded.c.passages), 0))
    return conn.execute(select(func.count()).select_from(vectors)).scalar_one(), conn.execute(said).scalar_one()


async def until_encoded(memory: Memory, count: int) -> None:
    """Wait for as many vectors as that, and for the accounts to say so."""
    database = await Database.open(store_url(memory.settings), [])
    try:
        async with asyncio.timeout(30):
            while await database.read(counted) != (count, count):  # noqa: ASYNC110  # the server writes them by itself
                await asyncio.sleep(0.02)
    finally:
        await database.close()


async def test_what_says_it_in_other_words_is_found_and_said_to_be_near_in_meaning(semantic: Memory) -> None:
    await semantic.record(SAID)
    await until_encoded(semantic, 3)
    found = await semantic.call("search_account_history", account_id=ACME, query=ASKED)
    assert found["items"][0]["text"] == SAID[1]["text"]
    assert "near in meaning" in found["items"][0]["why"] and found["items"][0]["score"] > 0.3


async def test_a_question_about_nothing_that_was_said_still_finds_nothing(semantic: Memory) -> None:
    await semantic.record(SAID)
    await until_encoded(semantic, 3)
    assert await semantic.texts("quantum chromodynamics of gluons") == []


async def test_filters_and_other_accounts_hold_for_what_is_found_by_meaning(semantic: Memory) -> None:
    await semantic.record(SAID)
    await until_encoded(semantic, 3)
    assert SAID[1]["text"] not in await semantic.texts(ASKED, kinds=["fact"])
    assert await semantic.texts(ASKED, until="2001-01-01") == []
    assert SAID[1]["text"] not in await semantic.texts(ASKED, account_id="another")


async def test_what_is_erased_has_no_vector_any_more(semantic: Memory) -> None:
    episode = (await semantic.record(SAID))["episode_id"]
    await semantic.fact("Omar has a daughter")
    await until_encoded(semantic, 4)
    await semantic.forget(episode, "erase")
    await until_encoded(semantic, 1)
    assert await semantic.texts("healthy newborn girl") == ["Omar has a daughter"]
    await semantic.forget("account", "erase")
    await until_encoded(semantic, 0)


async def test_a_store_without_vectors_answers_by_words_and_has_them_soon_after_it_is_opened_with_an_encoder(
    memory: Memory,
) -> None:
    await memory.record(SAID)
    assert await memory.texts(ASKED) == [] and SAID[0]["text"] in await memory.texts("printers in boxes")
    settings = Settings.load({**memory.settings.model_dump(exclude_unset=True), "encoder": "minilm"})
    async with Client(create_server(settings)) as client:
        opened = Memory(client, settings)
        await until_encoded(opened, 3)
        assert (await opened.texts(ASKED))[0] == SAID[1]["text"]
    assert await memory.texts(ASKED) == []  # a process without the encoder goes on by words


@pytest.mark.parametrize("setting", ["/nowhere", "minilm2"])
def test_a_wrong_encoder_is_refused_before_anything_starts(setting: str) -> None:
    with pytest.raises(SettingsError, match=r"neither `minilm` nor a folder with model\.onnx"):
        create_server(Settings.load({"encoder": setting}))


@pytest.mark.parametrize("damaged", ["model.onnx", "vocab.txt"])
def test_an_encoder_whose_files_are_damaged_is_refused_before_anything_starts(tmp_path: Path, damaged: str) -> None:
    for name, whole in (("model.onnx", encoder_of("minilm").model), ("vocab.txt", UNCASED)):
        content = whole.read_bytes()
        (tmp_path / name).write_bytes(content[:500] if name == damaged else content)
    with pytest.raises(SettingsError, match=r"model\.onnx and vocab\.txt cannot be loaded"):
        create_server(Settings.load({"encoder": str(tmp_path)}))


async def test_others_are_served_while_a_question_is_encoded(semantic: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    await semantic.record(SAID)
    await until_encoded(semantic, 3)
    encode, held, let_go = Encoder.encode, threading.Event(), threading.Event()

    def slowly(encoder: Encoder, text: str) -> bytes:
        held.set()
        assert let_go.wait(30)
        return encode(encoder, text)

    monkeypatch.setattr(Encoder, "encode", slowly)
    search = asyncio.create_task(semantic.texts(ASKED))
    assert await asyncio.to_thread(held.wait, 30)
    assert (await semantic.call("list_commitments"))["items"] == []
    assert not search.done()
    let_go.set()
    assert (await search)[0] == SAID[1]["text"]


def test_a_text_has_the_same_direction_in_another_process_and_a_folder_of_the_same_model_is_the_same_encoder(
    tmp_path: Path,
) -> None:
    bundled = encoder_of("minilm")
    (tmp_path / "model.onnx").symlink_to(bundled.model)
    (tmp_path / "vocab.txt").symlink_to(UNCASED)
    own = encoder_of(str(tmp_path))
    assert own.name == bundled.name and own.encode("Good morning") == bundled.encode("Good morning")


def test_words_are_cut_into_the_longest_pieces_that_the_vocabulary_has() -> None:
    wordpiece = WordPiece.read(UNCASED)
    # As the tokenizer that the model was taught with has them: [CLS] un ##aff ##able , cafe ! [SEP]
    assert wordpiece.tokens("Unaffable, café!", 64) == [101, 14477, 20961, 3468, 1010, 7668, 999, 102]
    assert wordpiece.tokens("one two three four", 4) == [101, 2028, 2048, 102]
    assert wordpiece.tokens("東京\ufffd\u200b", 64) == [101, 1879, 1755, 102]
