"""Files of other memories become records: every format by its documentation, and what nobody should send."""

import gzip
import io
import json
import mailbox
import os
import tarfile
import time
import tracemalloc
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from flotilla_kit.imports import Format, ImportRefused, Source
from flotilla_memory.formats.cogx import COGX
from flotilla_memory.formats.importing import FORMATS
from flotilla_memory.formats.locomo import LOCOMO
from flotilla_memory.formats.mail import MAIL
from flotilla_memory.formats.mem0 import MEM0
from flotilla_memory.formats.notes import NOTES
from flotilla_memory.formats.server_memory import SERVER_MEMORY
from flotilla_memory.records import Entity, Episode, Memory, Record, Relation, Turn
from pytest import mark, raises


def records(format_: Format[Any, Any], file: Path | str, **options: str) -> list[Record]:
    return [record for row in format_.parse(Source(file, options=options)) for record in row]


def problems(format_: Format[Any, Any], file: Path | str) -> list[str]:
    with raises(ImportRefused) as refused:
        format_.parse(Source(file))
    return refused.value.lines()


def episode(format_: Format[Any, Any], file: Path | str, **options: str) -> Episode:
    (only,) = records(format_, file, **options)
    assert isinstance(only, Episode)
    return only


def jsonl(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# mem0

MEM0_ITEM = {
    "id": "f4cbdb08",
    "memory": "Alex prefers vegetarian restaurants",
    "hash": "9b1c",
    "metadata": {"type": "preference", "source": "slack"},
    "categories": ["food"],
    "user_id": "alex",
    "agent_id": "planner",
    "expiration_date": "2026-03-31",
    "created_at": "2026-01-05T15:30:00-08:00",
    "updated_at": "2026-01-06T00:00:00Z",
}


def test_a_memory_of_mem0_belongs_to_its_user_and_is_valid_through_its_last_day() -> None:
    (memory,) = records(MEM0, json.dumps({"count": 1, "next": None, "results": [MEM0_ITEM]}))
    assert memory == Memory(
        "alex",
        "preference",
        "Alex prefers vegetarian restaurants\n(categories: food; agent_id: planner; source: slack)",
        occurred_at="2026-01-05T23:30:00.000+00:00",
        recorded_at="2026-01-05T23:30:00.000+00:00",
        valid_to="2026-04-01T00:00:00.000+00:00",
        external_id="mem0:f4cbdb08",
    )


def test_where_the_account_is_given_the_user_is_whom_the_memory_is_about() -> None:
    (memory,) = records(MEM0, json.dumps([MEM0_ITEM]), account="cust_1")
    assert isinstance(memory, Memory) and (memory.account_id, memory.subject) == ("cust_1", "alex")


def test_a_memory_that_another_replaced_is_no_longer_believed() -> None:
    (memory,) = records(MEM0, json.dumps([{**MEM0_ITEM, "replaced_by": "x"}]))
    assert isinstance(memory, Memory) and memory.retired_at == "2026-01-06T00:00:00.000+00:00"


def test_every_wrong_memory_is_named_by_its_line() -> None:
    items = [MEM0_ITEM, {"id": "2"}, {**MEM0_ITEM, "expiration_date": "soon"}, {**MEM0_ITEM, "created_at": True}, 7]
    said = problems(MEM0, json.dumps(items, indent=1))
    assert [line.partition(": ")[2] for line in said] == [
        "it has no memory",
        "expiration_date: 'soon' is not a time",
        "created_at: 'True' is not a time",
        "this is no object",
    ]
    assert said[0].startswith("line 19: ")


# server-memory

GRAPH = jsonl(
    {"type": "entity", "name": "Dana Reyes", "entityType": "person", "observations": ["Leads finance", "Likes tea"]},
    {"type": "entity", "name": "Acme", "entityType": "company", "observations": []},
    {"type": "relation", "from": "Dana Reyes", "to": "Acme", "relationType": "works_at"},
)


def test_observations_are_facts_about_their_entity() -> None:
    assert records(SERVER_MEMORY, GRAPH, account="cust_1") == [
        Entity("cust_1", "Dana Reyes", "person"),
        Memory("cust_1", "fact", "Leads finance", subject="Dana Reyes"),
        Memory("cust_1", "fact", "Likes tea", subject="Dana Reyes"),
        Entity("cust_1", "Acme", "company"),
        Relation("cust_1", "Dana Reyes", "works at", "Acme"),
    ]


def test_a_line_that_is_no_json_does_not_hide_the_next() -> None:
    text = GRAPH + "{nonsense\n" + jsonl({"type": "entity"}, {"type": "thing"}) + "[]\n" + "[" * 100_000 + "\n"
    assert problems(SERVER_MEMORY, text) == [
        "line 4: this is not JSON",
        "line 5: it has no name",
        "line 6: its type is neither entity nor relation",
        "line 7: this is no object",
        "line 8: this is nested too deeply",
    ]


# LoCoMo

SAMPLE: dict[str, Any] = {
    "qa": [{"question": "?", "answer": 2022, "evidence": ["D1:1"], "category": 2}],
    "conversation": {
        "speaker_a": "Ann",
        "speaker_b": "Bob",
        "session_2_date_time": "12:05 am on 25 May, 2023",
        "session_2": [{"speaker": "Bob", "dia_id": "D2:1", "text": "Bye."}],
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ann", "dia_id": "D1:1", "text": "Look!", "blip_caption": "a photo of a dog", "query": "dog"},
            {"speaker": "Bob", "dia_id": "D1:2", "text": "Nice."},
        ],
        "session_3_date_time": "1:00 pm on 1 June, 2023",
    },
    "event_summary": {},
    "sample_id": "conv-26",
}


def test_a_session_of_locomo_is_an_episode_and_captions_are_said() -> None:
    first, second = records(LOCOMO, json.dumps([SAMPLE]))
    assert first == Episode(
        "conv-26",
        "chat",
        "2023-05-08T13:56:00.000+00:00",
        (Turn("Ann", "Look!\n[picture: a photo of a dog]"), Turn("Bob", "Nice.")),
        external_id="conv-26/D1",
    )
    assert isinstance(second, Episode) and second.occurred_at == "2023-05-25T00:05:00.000+00:00"


def test_our_own_samples_have_accounts_channels_and_iso_times() -> None:
    turns = [{"speaker": "Ann", "dia_id": "D1:1", "text": "Hello"}]
    ours = {
        "sample_id": "s1",
        "account_id": "cust_1",
        "conversation": {"session_1_date_time": "2026-01-05T10:00Z", "session_1_channel": "email", "session_1": turns},
    }
    found = episode(LOCOMO, json.dumps([ours]))
    assert (found.account_id, found.channel, found.occurred_at) == ("cust_1", "email", "2026-01-05T10:00:00.000+00:00")
    assert episode(LOCOMO, json.dumps([ours]), account="cust_2").account_id == "cust_2"


def test_samples_may_fill_one_line_of_any_length(tmp_path: Path) -> None:
    (tmp_path / "many.json").write_text(json.dumps([{**SAMPLE, "sample_id": f"s{n}"} for n in range(4000)]))
    assert (tmp_path / "many.json").stat().st_size > 2_000_000
    assert len(records(LOCOMO, tmp_path / "many.json")) == 8000


# COGX: the shapes of cognee's `_write_cogx`

ALICE, BERLIN, PERSON, CHUNK, SUMMARY = (f"{n}1111111-1111-4111-8111-111111111111" for n in range(5))
ARCHIVE = {
    "manifest.json": json.dumps(
        {"cogx_version": "0.1", "source_system": "cognee", "exported_at": "2026-02-01T00:00:00Z"}
    ),
    "documents.jsonl": jsonl(
        {"kind": "document", "external_system": "cognee", "external_id": CHUNK, "content": "Alice lives in Berlin."}
    ),
    "entities.jsonl": jsonl(
        {
            "kind": "entity",
            "external_system": "cognee",
            "external_id": ALICE,
            "name": "Alice",
            "description": "A person",
        },
        {"kind": "entity", "external_system": "cognee", "external_id": BERLIN, "name": "Berlin"},
    ),
    "nodes.jsonl": jsonl(
        {"id": PERSON, "type": "EntityType", "name": "Person"},
        {"id": CHUNK, "type": "DocumentChunk", "text": "Alice lives in Berlin."},
        {"id": SUMMARY, "type": "TextSummary", "text": "Alice is a Berlin resident.", "valid_to": 1767225600000},
        {"id": "n", "type": "NodeSet", "name": "x"},
    ),
    "facts.jsonl": jsonl(
        {"kind": "fact", "external_id": "1", "subject_ref": CHUNK, "predicate": "contains", "object_ref": ALICE},
        {"kind": "fact", "external_id": "2", "subject_ref": ALICE, "predicate": "is_a", "object_ref": PERSON},
        {
            "kind": "fact",
            "external_system": "cognee",
            "external_id": "3",
            "subject_ref": ALICE,
            "predicate": "lives_in",
            "object_ref": BERLIN,
            "fact_text": "Alice lives in Berlin",
            "valid_at": "2026-01-01T00:00:00Z",
            "invalid_at": "2026-06-01T00:00:00Z",
        },
    ),
    "permissions.json": json.dumps({"owner": {"hashed_password": "secret"}}),
}


def archive(folder: Path, files: dict[str, str] = ARCHIVE) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_what_cognee_exports_keeps_types_validity_and_evidence(tmp_path: Path) -> None:
    source = Source(archive(tmp_path / "a"), options={"account": "cust_1"})
    found = [record for row in COGX.parse(source) for record in row]
    when = ("2026-01-01T00:00:00.000+00:00", "2026-06-01T00:00:00.000+00:00")
    assert found == [
        Episode(
            "cust_1",
            "note",
            "2026-02-01T00:00:00.000+00:00",
            (Turn(None, "Alice lives in Berlin."),),
            external_id=f"cognee:{CHUNK}",
        ),
        Entity("cust_1", "Alice", "Person"),
        Memory("cust_1", "fact", "A person", subject="Alice", external_id=f"cognee:{ALICE}#description"),
        Entity("cust_1", "Berlin"),
        Memory(
            "cust_1",
            "note",
            "Alice is a Berlin resident.",
            valid_to="2026-01-01T00:00:00.000+00:00",
            external_id=f"cognee:{SUMMARY}",
        ),
        Memory(
            "cust_1",
            "fact",
            "Alice lives in Berlin",
            subject="Alice",
            valid_from=when[0],
            valid_to=when[1],
            external_id="cognee:3",
        ),
        Relation("cust_1", "Alice", "lives in", "Berlin", *when, ("cognee:3",)),
    ]
    assert source.left_out == {"graph nodes": 1, "graph edges": 1}


def test_conversations_memories_and_blocks_of_other_systems_are_read(tmp_path: Path) -> None:
    scope = {"user_id": "alex", "session_id": "s1"}
    files = {
        "manifest.json": ARCHIVE["manifest.json"],
        "episodes.jsonl": jsonl(
            {"external_system": "zep", "external_id": "e", "scope": scope, "turns": [{"role": "user", "content": "Hi"}]}
        ),
        "memories.jsonl": jsonl(
            {
                "external_system": "mem0",
                "external_id": "m",
                "scope": scope,
                "content": "Likes tea",
                "categories": ["preferences"],
            }
        ),
        "memory_blocks.jsonl": jsonl(
            {"external_system": "letta", "external_id": "b", "label": "human", "value": "Ann"}
        ),
    }
    talk, memory, block = records(COGX, archive(tmp_path / "a", files))
    assert isinstance(talk, Episode) and (talk.account_id, talk.channel, talk.turns) == (
        "alex",
        "chat",
        (Turn("user", "Hi"),),
    )
    assert isinstance(memory, Memory) and (memory.kind, memory.account_id) == ("preference", "alex")
    assert memory.text == "Likes tea\n(categories: preferences; session_id: s1)" and memory.external_id == "mem0:m"
    assert block == Memory("", "note", "Ann", subject="human", external_id="letta:b")


@mark.parametrize("below", ["", "dump/"])
def test_a_packed_archive_is_the_same(tmp_path: Path, below: str) -> None:
    path = packed(tmp_path / "a.cogx.tar.gz", {below + name: text.encode() for name, text in ARCHIVE.items()})
    assert records(COGX, path) == records(COGX, archive(tmp_path / "a"))


def test_an_archive_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    files = {**ARCHIVE, "manifest.json": '{"cogx_version": "1.0"}'}
    assert "version 0.1" in problems(COGX, archive(tmp_path / "a", files))[0]


def test_problems_of_an_archive_name_file_and_line(tmp_path: Path) -> None:
    files = {**ARCHIVE, "memories.jsonl": jsonl({"external_id": "1", "content": "a"}, {"external_id": "2"}) + "{\n"}
    assert problems(COGX, archive(tmp_path / "a", files)) == [
        "memories.jsonl, line 2: it has no content",
        "memories.jsonl, line 3: this is not JSON",
    ]


@mark.parametrize("name", ["../memories.jsonl", "a/../../memories.jsonl", "/tmp/memories.jsonl"])
def test_names_that_lead_out_of_an_archive_are_refused(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / "a.cogx.tar.gz", {"manifest.json": b"{}", name: b"{}"})
    assert problems(COGX, path) == ["a name in it leads out of the archive"]
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_link_in_an_archive_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(jsonl({"external_id": "1", "content": "secret"}))
    folder = archive(tmp_path / "a")
    (folder / "memories.jsonl").symlink_to(tmp_path / "secret")
    assert "secret" not in repr(records(COGX, folder))
    link = tarfile.TarInfo("memories.jsonl")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        tar.addfile(link)
        for name, content in ARCHIVE.items():
            info = tarfile.TarInfo(name)
            info.size = len(content.encode())
            tar.addfile(info, io.BytesIO(content.encode()))
    assert "secret" not in repr(records(COGX, tmp_path / "b.tar"))


def bomb(path: Path) -> None:
    zeros = b"\0" * 1024 * 1024
    info = tarfile.TarInfo("memories.jsonl")
    info.size = 200 * len(zeros)
    with gzip.open(path, "wb") as file:
        file.write(info.tobuf())
        for _ in range(200):
            file.write(zeros)


def long_header(path: Path) -> None:
    """A pax header, which is read whole, of 200 MB."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 200 * 1024 * 1024
    with gzip.open(path, "wb") as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(200):
            file.write(b" " * 1024 * 1024)


@mark.parametrize("make", [bomb, long_header])
def test_an_archive_that_unpacks_to_far_more_is_refused_in_bounded_memory(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "a.cogx.tar.gz")
    tracemalloc.start()
    (said,) = problems(COGX, tmp_path / "a.cogx.tar.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ("unpacks to more than" in said or "of an odd size" in said) and peak < 20_000_000


@mark.parametrize("content", [b"nonsense", b"", gzip.compress(b"nonsense" * 500), gzip.compress(b"x" * 5000)[:-10]])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.cogx.tar.gz").write_bytes(content)
    assert problems(COGX, tmp_path / "a.cogx.tar.gz")


# Markdown notes


def test_a_note_is_an_episode_with_what_its_front_matter_says(tmp_path: Path) -> None:
    note = tmp_path / "call.md"
    note.write_text(
        "---\ntitle: Renewal call\ndate: 2026-03-01\naccount: cust_1\nauthor: Dana\ntags:\n"
        "  - renewal\n  - price\n---\n"
        "They want 12 months.\n\nWe said yes.\n"
    )
    found = episode(NOTES, note)
    assert (found.account_id, found.title, found.occurred_at) == (
        "cust_1",
        "Renewal call",
        "2026-03-01T00:00:00.000+00:00",
    )
    assert [turn.text for turn in found.turns] == ["(tags: renewal, price)", "They want 12 months.\n\nWe said yes."]
    assert {turn.speaker for turn in found.turns} == {"Dana"}
    assert episode(NOTES, note, account="cust_2").account_id == "cust_2"


def test_without_front_matter_a_note_is_dated_by_its_name_or_its_last_change(tmp_path: Path) -> None:
    (tmp_path / "2026-02-03 kickoff.md").write_text("# Kick-off\n\nWe met.\n")
    (tmp_path / "b.md").write_text("---\n\nA rule, and no front matter.\n")
    os.utime(tmp_path / "b.md", (1_770_000_000, 1_770_000_000))
    first, second = records(NOTES, tmp_path)
    assert isinstance(first, Episode) and (first.title, first.occurred_at[:10]) == ("Kick-off", "2026-02-03")
    assert isinstance(second, Episode) and (second.title, second.occurred_at[:10]) == ("b", "2026-02-02")


def test_a_note_is_known_by_path_and_text_wherever_its_folder_is(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder / "sub").mkdir(parents=True)
        (tmp_path / folder / "sub" / "a.md").write_text("Text.")
    before = episode(NOTES, tmp_path / "one").external_id
    assert before == episode(NOTES, tmp_path / "two").external_id
    (tmp_path / "one" / "sub" / "a.md").write_text("Text, changed.")
    assert episode(NOTES, tmp_path / "one").external_id != before


def test_a_long_note_is_turns_of_a_size_that_can_be_shown(tmp_path: Path) -> None:
    text = "\n\n".join([*(f"Paragraph {n}: {'words ' * 40}" for n in range(50)), "x" * 30_000])
    (tmp_path / "a.md").write_text(text)
    turns = [turn.text for turn in episode(NOTES, tmp_path / "a.md").turns]
    assert max(map(len, turns)) <= 2000 and len(turns) < 60
    assert "".join("".join(turns).split()) == "".join(text.split())


def test_links_out_of_a_folder_of_notes_are_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "secret.md").write_text("secret")
    (tmp_path / "notes" / "a.md").write_text("Text.")
    (tmp_path / "notes" / "link.md").symlink_to(tmp_path / "secret.md")
    (tmp_path / "notes" / "loop.md").symlink_to(tmp_path / "notes" / "loop.md")
    (tmp_path / "notes" / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "notes" / "pipe.md")
    source = Source(tmp_path / "notes")
    assert "secret" not in repr(NOTES.parse(source))
    assert source.left_out == {"links out of the folder, and what is no file": 3}


def test_every_wrong_note_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes("caf\xe9".encode("latin-1"))
    (tmp_path / "b.md").write_text("---\ndate: soon\n---\nText.")
    (tmp_path / "c.md").write_text("Fine.")
    assert problems(NOTES, tmp_path) == [
        "a.md, line 1: this is not UTF-8 text; save the file as UTF-8",
        "b.md, line 1: date: 'soon' is not a time",
    ]
    assert "no Markdown files" in problems(NOTES, archive(tmp_path / "none", {"x.txt": "x"}))[0]


# E-mail

HEADERS = (
    "From: Dana Reyes <dana@example.com>\nTo: ann@example.org\nSubject: Renewal\nDate: Mon, 5 Jan 2026 10:00:00 +0100\n"
)


def mail(tmp_path: Path, content: bytes | str) -> Path:
    path = tmp_path / "a.eml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def said(tmp_path: Path, body: str, headers: str = HEADERS) -> str:
    return "\n".join(turn.text for turn in episode(MAIL, mail(tmp_path, f"{headers}\n{body}")).turns)


def test_a_message_is_what_was_new_in_it_said_by_its_sender(tmp_path: Path) -> None:
    quoted = "On Sun, 4 Jan 2026 at 09:00, Ann\n<ann@example.org> wrote:\n> 12 or 24?\n>> Hm\n"
    body = f"Yes, 12 months.\n\n{quoted}\n-- \nDana\nCFO\n"
    found = episode(MAIL, mail(tmp_path, HEADERS + "Message-ID: <1@example.com>\n\n" + body), account="cust_1")
    assert found == Episode(
        "cust_1",
        "email",
        "2026-01-05T09:00:00.000+00:00",
        (
            Turn(
                "Dana Reyes",
                "Subject: Renewal\nFrom: Dana Reyes <dana@example.com>\nTo: ann@example.org\n\nYes, 12 months.",
            ),
        ),
        title="Renewal",
        external_id="mail:1@example.com",
    )


@mark.parametrize(
    "below",
    [
        "-----Original Message-----\nOLD",
        "From: Ann\nSent: Sunday\nTo: Dana\nSubject: Renewal\n\nOLD",
        "Am 4.1.2026 um 09:00 schrieb Ann:\n> OLD",
        "> OLD\n> OLD too",
        "--\nOLD",
    ],
)
def test_what_a_message_quotes_is_cut_off(tmp_path: Path, below: str) -> None:
    text = said(tmp_path, f"NEW\n\n{below}\n")
    assert text.endswith("NEW") and "OLD" not in text


def test_answers_between_quotes_stay_and_a_message_of_quotes_alone_too(tmp_path: Path) -> None:
    assert said(tmp_path, "> one?\nYES\n> two?\nNO\n").endswith("YES\nNO")
    assert "> only this" in said(tmp_path, "> only this\n")


def test_html_alone_becomes_text_without_what_it_quotes(tmp_path: Path) -> None:
    html = (
        "<html><head><style>p{color:red}</style><title>T</title></head><body><!-- <p>hidden</p> -->"
        "<p>Hello &amp;<br>you</p>"
        "<script>evil()</script><div class='gmail_quote'><div>OLD</div></div><p>Bye</p></body></html>"
    )
    text = said(tmp_path, html, HEADERS + "Content-Type: text/html; charset=utf-8\n")
    assert text.endswith("Hello &\nyou\n\nBye") or text.endswith("Hello &\nyou\nBye")
    assert not [word for word in ("OLD", "evil", "hidden", "color") if word in text]


def test_attachments_are_named_and_not_read(tmp_path: Path) -> None:
    message = EmailMessage()
    message["From"], message["Date"] = "Dana <dana@example.com>", "Mon, 5 Jan 2026 10:00:00 +0100"
    message.set_content("See below.")
    message.add_attachment(b"SECRET", maintype="text", subtype="plain", filename="../plan \u202efdp.txt")
    forwarded = EmailMessage()
    forwarded.set_content("FORWARDED")
    message.add_attachment(forwarded)
    (turn,) = episode(MAIL, mail(tmp_path, message.as_bytes())).turns
    assert "Attached: ../plan" in turn.text and "SECRET" not in turn.text and "FORWARDED" not in turn.text


def test_a_mailbox_is_each_of_its_messages(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "a.mbox")
    for number in range(3):
        box.add(f"{HEADERS}Message-ID: <{number}@example.com>\n\nFrom the desk of {number}\n\nFrom here on\n")
    box.close()
    found = records(MAIL, tmp_path / "a.mbox")
    assert [one.external_id for one in found if isinstance(one, Episode)] == [f"mail:{n}@example.com" for n in range(3)]
    assert all("From the desk of" in repr(one) and "\\n\\nFrom here on" in repr(one) for one in found)


def test_a_maildir_and_a_folder_of_messages_are_read(tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "dir")
    box.add(f"{HEADERS}\nOne\n")
    box.close()
    (tmp_path / "dir" / "two.eml").write_text(f"{HEADERS}\nTwo\n")
    assert len(records(MAIL, tmp_path / "dir")) == 2


def test_a_message_without_an_id_is_known_again_by_its_content(tmp_path: Path) -> None:
    one = episode(MAIL, mail(tmp_path, f"{HEADERS}\nOne\n")).external_id
    assert one == episode(MAIL, mail(tmp_path, f"{HEADERS}\nOne\n")).external_id
    assert one != episode(MAIL, mail(tmp_path, f"{HEADERS}\nTwo\n")).external_id


def nested(depth: int) -> bytes:
    parts = [b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (n, n + 1) for n in range(depth)]
    return b"Content-Type: multipart/mixed; boundary=b0\n\n" + b"".join(parts)


@mark.parametrize(
    "rest",
    [
        b"\n" + b"On " + b"x" * 300_000 + b"\n" + b">\n" * 50_000,
        b"Content-Type: text/html\n\n" + b"<" * 300_000,
        b"Content-Type: text/html\n\n" + b"<!--" * 100_000,
        b"Content-Type: text/html\n\n" + b"<blockquote>" * 50_000,
        b"Content-Type: text/plain; charset=no-such\n\ntext",
        b"Content-Type: text/plain; charset=\xff\xfe\n\ntext",
        b"Content-Transfer-Encoding: base64\n\n!!!notbase64===",
        b"Content-Type: multipart/mixed; boundary=x\n\nno part of it",
        b"Subject: " + b"=?utf-8?q?" * 50_000 + b"\n\ntext",
        b"Subject: =?utf-8?b?////?= =?nope?q?x?= \xff\n\ntext",
        b"Cc: " + b"<" * 500_000 + b"\n\ntext",
        b"Cc: " + b"a," * 300_000 + b"\n\ntext",
        b"Subject: a\0b\n\ntext \0 \xed\xa0\x80",
        nested(50),
        nested(2000),
    ],
    ids=lambda rest: rest[:30],
)
def test_hostile_messages_are_read_or_refused_in_words_and_soon(tmp_path: Path, rest: bytes) -> None:
    begun = time.monotonic()
    path = mail(tmp_path, b"From: a@example.com\nDate: Mon, 5 Jan 2026 10:00:00 +0100\n" + rest)
    try:
        found = records(MAIL, path)
    except ImportRefused as refused:
        assert refused.lines() == ["line 1: this message cannot be parsed"]
    else:
        text = repr(found)
        assert "\\x00" not in text
        for one in found:
            assert isinstance(one, Episode) and len(one.title or "") <= 200
            "".join(turn.text for turn in one.turns).encode()
    assert time.monotonic() - begun < 20


def test_a_message_without_a_date_is_named(tmp_path: Path) -> None:
    assert problems(MAIL, mail(tmp_path, "From: a\nDate: soon\n\ntext")) == ["line 1: it has no Date that is one"]
    assert "no e-mail" in problems(MAIL, mail(tmp_path, "just a text\nof two lines\n"))[0]


# All of them


@mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
def test_a_line_of_a_hundred_megabytes_is_refused_in_bounded_memory(tmp_path: Path, format_: Format[Any, Any]) -> None:
    path = tmp_path / {"email": "a.eml", "cogx": "memories.jsonl", "markdown": "a.md"}.get(format_.name, "a.json")
    beginning = b"" if format_ in (MAIL, NOTES) else b'[{"memory": "' if format_ in (MEM0, LOCOMO) else b'{"content": "'
    with path.open("wb") as file:
        file.write(beginning)
        for _ in range(100):
            file.write(b"x" * 1024 * 1024)
    if format_ is COGX:
        (tmp_path / "manifest.json").write_text(ARCHIVE["manifest.json"])
        path = tmp_path
    tracemalloc.start()
    found = problems(format_, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 1 and "more than" in found[0] and peak < 200_000_000


def test_text_that_no_database_stores_is_made_one() -> None:
    (memory,) = records(MEM0, '[{"memory": "a\\ud800b\\u0000c"}]')
    assert isinstance(memory, Memory) and memory.text == "a\ufffdb\ufffdc"


@pytest.fixture
def samples(tmp_path: Path) -> dict[str, Path]:
    """A file or folder of each kind."""
    files = {"mem0": json.dumps([MEM0_ITEM]), "locomo": json.dumps([SAMPLE], indent=2), "server-memory": GRAPH}
    found = {"cogx": archive(tmp_path / "cogx"), "email": mail(tmp_path, f"{HEADERS}\nOne\n")}
    for kind, content in files.items():
        found[kind] = tmp_path / f"{kind}.json"
        found[kind].write_text(content)
    found["markdown"] = tmp_path / "notes"
    found["markdown"].mkdir()
    (found["markdown"] / "a.md").write_text("Text.")
    return found


def test_each_kind_is_recognised_and_no_other(samples: dict[str, Path]) -> None:
    assert set(samples) == {format_.name for format_ in FORMATS}
    for kind, path in samples.items():
        assert [format_.name for format_ in FORMATS if format_.recognises(path)] == [kind]


def test_a_file_that_is_nothing_is_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(os.urandom(1000))
    for path in (tmp_path / "x", tmp_path / "none"):
        assert not [format_.name for format_ in FORMATS if format_.recognises(path)]
