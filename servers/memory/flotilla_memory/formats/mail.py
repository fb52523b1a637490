"""E-mail: a message (`.eml`, RFC 5322), a mailbox (`.mbox`, RFC 4155), a folder of messages, or a Maildir.

A message is an episode of the channel `email`: what was new in it, said by its sender, below its subject and whom it
went to. Quoted replies and signatures are cut off; of a message in HTML only, the text; attachments are named and not
read. It is known again by its Message-ID and what it says: anybody can send another one under the same id. The account
is the one that the command line names, or the notebook.

Headers are written by whoever sent the message: they are decoded leniently, cut to a length, and never followed.
"""

import email
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path
from typing import cast

from flotilla_kit import times
from flotilla_kit.imports import BadRow, Format, ImportRefused, Problem, Row, Source

from ..records import Episode, Turn
from . import values
from .looks import head
from .mail_text import from_html, new_part

_LARGEST = 64 * 1024 * 1024  # bytes of a message
_LONGEST_HEADER = 4000  # characters
_MOST_PARTS = 500
_MOST_PEOPLE = 20
_FROM_LINE = re.compile(rb"From \S{1,200} .{0,100}\d{4}\s{0,2}")  # `From ann@example.com Mon Jan  5 10:00:00 2026`
_ESCAPED_FROM = re.compile(rb">+From ")
_HEADER = re.compile(r"(From|Date|Received|Return-Path|Message-ID|Delivered-To|MIME-Version|Subject|To):", re.I)


@dataclass(frozen=True)
class Raw:
    """A message as it stands in the file, and the account that the command line names."""

    content: bytes
    account: str


@dataclass(frozen=True)
class Person:
    """Whom a header names: as they are called, and where they get mail; either may be empty."""

    called: str
    address: str

    def __str__(self) -> str:
        return f"{self.called} <{self.address}>" if self.called and self.address else self.called or self.address


def read(source: Source) -> Iterator[Row[Raw] | Problem]:
    """Each message of a file or folder."""
    found = False
    for file in source.files(_holds_mail):
        found = True
        if not file.size and source.path != file.path:
            continue
        try:
            yield from _messages(file)
        except ImportRefused as refused:  # of this file; the others are looked at too
            yield from refused.problems
    if not found:
        raise ImportRefused([source.problem(0, "there are no messages (.eml, .mbox, Maildir) in this folder")])


def check(raw: Raw) -> tuple[Episode]:
    """A message as an episode.

    Raises:
        BadRow: it is none, has no text, or no time.
    """
    try:
        message = email.message_from_bytes(raw.content, policy=policy.compat32)
        body, attached = _body(message)
    except (RecursionError, ValueError, LookupError, AssertionError, HeaderParseError):
        raise BadRow("this message cannot be parsed") from None
    subject, sender = _header(message, "Subject"), _people(message, "From")
    if not sender and not subject and message["Date"] is None:
        raise BadRow("this is no e-mail: it has neither From, Subject nor Date")
    above = [
        *([f"Subject: {subject}"] if subject else []),
        *(
            f"{name}: {', '.join(map(str, people))}"
            for name in ("From", "To", "Cc")
            if (people := _people(message, name)) and (name != "From" or people[0].called)
        ),
    ]
    below = [f"Attached: {', '.join(attached)}"] if attached else []
    pieces = [*values.passages(new_part(body))] or [""]
    # The subject belongs to what is found first, the attachments to the end.
    pieces[0] = "\n".join([*above, *([f"\n{pieces[0]}"] if pieces[0] else [])])
    pieces[-1] = "\n\n".join([pieces[-1], *below])
    said = [values.clean(piece).strip() for piece in pieces]
    speaker = sender[0].called or sender[0].address if sender else None
    return (
        Episode(
            account_id=values.name(raw.account, "account"),
            channel="email",
            occurred_at=_time(message),
            turns=tuple(Turn(speaker, text) for text in said if text),
            title=values.clean(subject)[: values.LONGEST_NAME] or None,
            external_id=_external_id(message, f"{sender}{subject}{body}"),
        ),
    )


def _holds_mail(path: Path) -> bool:
    return path.suffix.lower() in (".eml", ".mbox") or path.parent.name in ("cur", "new")


def _messages(file: Source) -> Iterator[Row[Raw] | Problem]:
    account = file.options.get("account", "")
    held, size, begun, blank, number = list[bytes](), 0, 1, True, 0
    mailbox: bool | None = None

    def message() -> Row[Raw] | Problem:
        if size > _LARGEST:
            return file.problem(begun, f"this message has more than {_LARGEST} bytes")
        return Row(begun, Raw(b"".join(held), account), file.name)

    for number, line in enumerate(file.byte_lines(), 1):
        if mailbox is None:
            mailbox = line.startswith(b"From ")
        if mailbox and blank and _FROM_LINE.fullmatch(line):
            if held:
                yield message()
            held, size, begun = [], 0, number
        else:
            size += len(line)
            if size <= _LARGEST:
                held.append(line[1:] if mailbox and _ESCAPED_FROM.match(line) else line)
        blank = line in (b"\n", b"\r\n")
    if held:
        yield message()
    elif number:
        yield file.problem(begun, "this message is empty")


def _body(message: Message) -> tuple[str, list[str]]:
    """The text of a message, and the names of what is attached."""
    plain, html, attached = list[str](), list[str](), list[str]()
    for number, part in enumerate(_parts(message)):
        if number == _MOST_PARTS:
            raise BadRow(f"this message has more than {_MOST_PARTS} parts")
        name = _decoded(part.get_filename() or "")
        if name or part.is_multipart() or part.get_content_disposition() == "attachment":
            attached.append(name or part.get_content_type())
        elif part.get_content_type() == "text/plain":
            plain.append(_text_of(part))
        elif part.get_content_type() == "text/html":
            html.append(_text_of(part))
    text = "\n\n".join(part for part in plain if part.strip())
    return text or "\n\n".join(from_html(part) for part in html), attached


def _parts(message: Message) -> Iterator[Message]:
    """The parts that hold something; a message that is attached whole is one of them."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        inner: object = part.get_payload() if part.get_content_maintype() == "multipart" else None
        if isinstance(inner, list):
            waiting += [each for each in reversed(cast("list[object]", inner)) if isinstance(each, Message)]
        else:
            yield part


def _text_of(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    charset = part.get_content_charset() or "utf-8"
    try:
        return content.decode(charset, "replace")
    except (LookupError, ValueError):  # a character set that nobody knows, or one with an odd name
        return content.decode("utf-8", "replace")


def _header(message: Message, name: str) -> str:
    return _decoded(str(message.get(name, ""))[:_LONGEST_HEADER])


def _decoded(value: str) -> str:
    try:
        parts = decode_header(value[:_LONGEST_HEADER])
    except (HeaderParseError, ValueError):
        parts = [(value, None)]
    said = ""
    for part, charset in parts:
        try:
            said += part.decode(charset or "utf-8", "replace") if isinstance(part, bytes) else part
        except (LookupError, ValueError):
            said += part.decode("utf-8", "replace") if isinstance(part, bytes) else part
    return " ".join(values.clean(said).split())[: values.LONGEST_NAME * 2]


def _people(message: Message, name: str) -> list[Person]:
    """Those that a header names."""
    given = [str(value)[:_LONGEST_HEADER] for value in message.get_all(name, [])][:_MOST_PEOPLE]
    try:
        found = getaddresses(given)[:_MOST_PEOPLE]
    except (ValueError, IndexError, TypeError):
        return []
    people = [
        Person(_decoded(called)[: values.LONGEST_NAME], _decoded(address)[: values.LONGEST_NAME])
        for called, address in found
    ]
    return [person for person in people if person.called or person.address]


def _time(message: Message) -> str:
    # The sender's clock first; the last server's where that says nothing.
    received = [str(value).rpartition(";")[2] for value in message.get_all("Received", [])[:1]]
    for given in (_header(message, "Date"), *received):
        try:
            moment = parsedate_to_datetime(given.strip())
            if 1970 <= moment.year < 2200:
                return times.utc(moment)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    raise BadRow("it has no Date that is one", column="Date")


def _external_id(message: Message, said: str) -> str:
    digest = hashlib.sha256(said.encode(errors="replace")).hexdigest()[:16]
    return f"mail:{_header(message, 'Message-ID').strip('<> ')[: values.LONGEST_NAME - 40]}@{digest}"


def _recognises(path: Path) -> bool:
    if path.is_dir():
        return (path / "cur").is_dir() or any(path.glob("*.eml")) or any(path.glob("*.mbox"))
    if path.suffix.lower() in (".eml", ".mbox"):
        return True
    start = head(path)
    return _FROM_LINE.fullmatch(start.partition("\n")[0].encode()) is not None and _HEADER.search(start) is not None


MAIL = Format[Raw, tuple[Episode]]("records", read, check, kind="email", recognises=_recognises)
