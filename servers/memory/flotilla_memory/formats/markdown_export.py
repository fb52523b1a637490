"""Records as a folder of Markdown, readable as it is, and read back by `--kind markdown` (see `marked`).

Each account has a folder, with a page for each episode, one for its entities, one for its memories and one for its
relations.
"""

import hashlib
import re
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from ..records import Entity, Episode, Memory, Record, Relation
from . import marked

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_NOT_PLAIN = re.compile(r"[^a-z0-9_-]+")
# In the order of these names they are read back: what is cited before what cites it. Episodes' begin with their day.
_PAGES: dict[type[Any], str] = {Entity: "0-entities.md", Memory: "memories.md", Relation: "relations.md"}


def write(records: Iterable[Record], path: Path) -> None:
    """Write a new folder; the records of an account follow each other."""
    path.mkdir()
    for account_id, of_account in groupby(records, lambda record: record.account_id):
        folder = path / folder_name(account_id)
        folder.mkdir()
        with ExitStack() as opened:
            files: dict[str, TextIO] = {}
            for number, record in enumerate(of_account, 1):
                if isinstance(record, Episode):
                    page = folder / f"{record.occurred_at[:10]}-{_plain(record.channel)}-{number}.md"
                    page.write_text(marked.write(record), encoding="utf-8", newline="")
                    continue
                name = _PAGES[type(record)]
                if name not in files:
                    files[name] = opened.enter_context((folder / name).open("x", encoding="utf-8", newline=""))
                files[name].write(marked.write(record))


def folder_name(account_id: str) -> str:
    """A name that is one on every system, and another for every account."""
    if _PLAIN.fullmatch(account_id):
        return account_id
    return f"{_plain(account_id) or 'account'}-{hashlib.sha256(account_id.encode()).hexdigest()[:8]}"


def _plain(text: str) -> str:
    return _NOT_PLAIN.sub("-", text.lower())[:40].strip("-")
