"""Markdown notes and e-mail become episodes: what is new in them, by whom and when; and what nobody should send."""

import mailbox
import os
import time
from email.message import EmailMessage
from pathlib import Path

from flotilla_kit.imports import ImportRefused, Source
from flotilla_memory.formats.mail import MAIL
from flotilla_memory.formats.notes import NOTES
from flotilla_memory.records import Episode, Turn
from pytest import mark
from support.memory_files import HEADERS, archive, episode, mail, problems, records

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
        external_id=found.external_id,
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
    names = [(one.external_id or "").rpartition("@")[0] for one in found if isinstance(one, Episode)]
    assert names == [f"mail:{n}@example.com" for n in range(3)]
    assert all("From the desk of" in repr(one) and "\\n\\nFrom here on" in repr(one) for one in found)


def test_a_maildir_and_a_folder_of_messages_are_read(tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "dir")
    box.add(f"{HEADERS}\nOne\n")
    box.close()
    (tmp_path / "dir" / "two.eml").write_text(f"{HEADERS}\nTwo\n")
    assert len(records(MAIL, tmp_path / "dir")) == 2


@mark.parametrize("given", ["", "Message-ID: <1@example.com>\n"])
def test_a_message_is_known_by_its_id_and_what_it_says(tmp_path: Path, given: str) -> None:
    one = episode(MAIL, mail(tmp_path, f"{HEADERS}{given}\nOne\n")).external_id
    assert one == episode(MAIL, mail(tmp_path, f"Received: by another way\n{HEADERS}{given}\nOne\n")).external_id
    assert one != episode(MAIL, mail(tmp_path, f"{HEADERS}{given}\nTwo\n")).external_id


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
