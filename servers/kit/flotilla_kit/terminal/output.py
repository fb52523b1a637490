"""What sub-commands print: an answer on stdout, words to a person on stderr, and nothing that moves the cursor.

Facts and arguments come from records and callers. A control character, an ANSI escape or a bidirectional override in
one of them could show a person another amount than the one that is approved.
"""

import json
import os
import sys
from collections.abc import Sequence

_LONGEST_TYPED = 1024


def say(text: str) -> None:
    """Part of the answer."""
    print(text)  # noqa: T201  a sub-command's answer, no protocol runs


def tell(text: str) -> None:
    """For the person; no part of the answer."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  as above


def visible(value: object) -> str:
    """One line that shows text as it is and anything else as JSON; whatever is not printable is escaped."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def quoted(value: object) -> str:
    """As `visible`, text in quotes: for what callers wrote."""
    return visible(json.dumps(value, ensure_ascii=False))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side, the first row as their names."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def has_person() -> bool:
    """Whether a person can read what is told and type an answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def asked(question: str) -> str:
    """What the person typed, without spaces around it; nothing if they gave up."""
    print(question, end="", file=sys.stderr, flush=True)  # noqa: T201  as above
    try:
        return sys.stdin.readline(_LONGEST_TYPED).strip()
    except (KeyboardInterrupt, UnicodeDecodeError):
        tell("")
        return ""


def local_user() -> str:
    """The account this process runs as; not what the environment says."""
    try:
        import pwd
    except ModuleNotFoundError:  # Windows
        return os.getlogin()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without a name
        return str(os.getuid())
