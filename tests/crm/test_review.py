"""A review of an account whose store is damaged: what cannot be read is said so, and the rest is there."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from fastmcp import Client
from flotilla_crm.server import create_server
from flotilla_crm.settings import Settings
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_kit.storage.addresses import store_url
from sqlalchemy import text
from support.crm_client import ACME, Crm, prepared

SECTIONS = {"account", "contacts", "open_deals", "activities", "changes", "quality"}


async def reviewed(crm: Crm) -> tuple[Mapping[str, str], set[str]]:
    """The status of each section of Acme's review, and the notes of those that are unavailable."""
    sections = (await crm.call("get_account_review", account_id=ACME))["sections"]
    lost = [section for section in sections.values() if section["status"] == "unavailable"]
    assert all(section["items"] == [] and section["source"] == "crm" and section["as_of"] for section in lost)
    return {name: section["status"] for name, section in sections.items()}, {section["note"] for section in lost}


@pytest.mark.parametrize(
    ("table", "lost"),
    [("activities", {"activities"}), ("field_history", {"changes"}), ("deals", {"open_deals", "quality"})],
)
async def test_a_section_whose_table_is_gone_is_unavailable_and_the_others_are_ok(
    crm: Crm, table: str, lost: set[str]
) -> None:
    await crm.contact(email="ase@acme.example")
    database = await Database.open(store_url(crm.settings), [KIT_MIGRATIONS])
    await database.write(lambda conn: conn.execute(text(f"ALTER TABLE {table} RENAME TO lost")))
    await database.close()
    statuses, notes = await reviewed(crm)
    assert statuses == {name: "unavailable" if name in lost else "ok" for name in SECTIONS}
    (note,) = notes
    assert "database failed" in note and table not in note
    again = await crm.call("get_account", account_id=ACME)
    assert again["account_id"] == ACME, "a failed section spoils nothing of the calls after it"


async def test_a_section_on_a_damaged_page_is_unavailable_and_the_others_are_ok(tmp_path: Path) -> None:
    settings = Settings.load({"home": tmp_path, "as_of": "2026-03-31"})
    await prepared(settings)
    file = tmp_path / "crm.db"
    with closing(sqlite3.connect(file)) as store:
        (size,) = store.execute("PRAGMA page_size").fetchone()
        pages = store.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = 'activities'").fetchall()
    with file.open("r+b") as bytes_of:
        for (page,) in pages:
            bytes_of.seek((page - 1) * size)
            bytes_of.write(b"\xff" * size)
    async with Client(create_server(settings)) as client:
        statuses, _ = await reviewed(Crm(client, settings))
    assert statuses == {name: "unavailable" if name == "activities" else "ok" for name in SECTIONS}
