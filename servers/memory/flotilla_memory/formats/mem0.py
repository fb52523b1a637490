"""mem0's memories: what its `get_all` answers, as JSON.

From mem0's source (github.com/mem0ai/mem0, 8d5b7865): `Memory._get_all_from_vector_store` in `mem0/memory/main.py` for
the library, `POST /v3/memories/` in `docs/openapi.json` for the platform: a list, or an object with `results`;
`memories` and `items` are taken too.

A memory's account is its `user_id`; where the command line names the account, the user is the memory's subject. It is
valid through the day of its `expiration_date`; one that was `replaced_by` another is retired when that was noted. Its
metadata, categories and the other ids stand as a line below its text. Dropped are `hash`, `score`, `text_lemmatized`,
`structured_attributes`, `synthesized` and `lifecycle_state`, which mem0 works out itself.
"""

from collections.abc import Iterator
from pathlib import Path

from flotilla_kit.imports import Format, Problem, Row, Source

from ..records import Memory, MemoryKind
from . import values
from .json_items import given, read_items
from .looks import head
from .values import Given

_TEXTS = ("memory", "text", "data", "content")
_OTHER = ("agent_id", "app_id", "run_id", "actor_id", "role", "attributed_to")
KINDS: dict[str, MemoryKind] = {
    "fact": "fact",
    "preference": "preference",
    "user_preference": "preference",
    "decision": "decision",
    "event": "event",
    "commitment": "commitment",
    "note": "note",
}
"""Our kinds by the words that others use for them, in the singular."""


def read(source: Source) -> Iterator[Row[Given] | Problem]:
    """Each memory of a file."""
    return given(read_items(source, keys=("results", "memories", "items")), source)


def check(row: Given) -> tuple[Memory]:
    """A memory of mem0 as ours.

    Raises:
        BadRow: it has no text, or a time that is none.
    """
    item, metadata = row.values, values.mapping(row.values.get("metadata"))
    said = next((item[key] for key in _TEXTS if isinstance(item.get(key), str)), None)
    user = values.optional_name(item.get("user_id"), "user_id")
    categories = values.texts(item.get("categories"), "categories")
    kind, kind_of = kind_among([*values_of(metadata, "type", "kind"), *categories])
    rest = {key: value for key, value in metadata.items() if not (key in ("type", "kind") and value == kind_of)}
    more = values.details({"categories": categories, **{key: item.get(key) for key in _OTHER}, **rest})
    created = values.instant(item.get("created_at"), "created_at")
    return (
        Memory(
            account_id=values.name(row.account if row.account is not None else user or "", "user_id"),
            kind=kind,
            text=values.text(said, "memory") + (f"\n{more}" if more else ""),
            subject=user if row.account is not None else None,
            occurred_at=created,
            recorded_at=created,
            valid_to=values.after(item.get("expiration_date"), "expiration_date"),
            retired_at=(values.instant(item.get("updated_at"), "updated_at") or created)
            if item.get("replaced_by")
            else None,
            confidence=values.share(metadata.get("confidence")),
            status="open" if kind == "commitment" else None,
            external_id=external_id("mem0", item.get("id")),
        ),
    )


def external_id(system: str, value: object) -> str | None:
    """What another system calls something, with its own name before it: two of them may use the same."""
    given = values.optional_name(value, "id")
    return f"{system}:{given}" if given else None


def values_of(of: dict[str, object], *keys: str) -> list[str]:
    """Those of an object's values that are texts."""
    return [value for key in keys if isinstance(value := of.get(key), str)]


def kind_among(words: list[str]) -> tuple[MemoryKind, str]:
    """The first of some words that is one of our kinds, as that and as it stands; a fact if none is."""
    for word in words:
        if kind := KINDS.get(word.strip().lower().removesuffix("s")):
            return kind, word
    return "fact", ""


def _recognises(path: Path) -> bool:
    start = head(path)
    return start.startswith(("[", "{")) and '"memory"' in start and '"conversation"' not in start


MEM0 = Format[Given, tuple[Memory]]("records", read, check, kind="mem0", recognises=_recognises)
