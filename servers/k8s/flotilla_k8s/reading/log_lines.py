"""The newest lines of a log that fit, in bounded memory, optionally only those that match a pattern.

It is also a program of its own, which imports nothing but the standard library: a pattern that takes forever is stopped
by ending the process, and never holds up the server.
"""

import json
import os
import re
import sys
from collections import deque
from datetime import UTC, datetime

LONGEST_LINE = 4_000  # bytes; what is longer is cut
_CHUNK = 65_536


class LineKeeper:
    """The last lines of what it is fed, each with its timestamp in front.

    Args:
        tail: how many lines at most.
        max_bytes: of all lines together.
        pattern: only lines whose text it is found in.
        until: an instant as `instant` reads it; the first line from then on ends the log.
    """

    def __init__(self, tail: int, max_bytes: int, pattern: str | None = None, until: str | None = None) -> None:
        self.lines: deque[bytes] = deque()
        self.dropped = False
        """Whether there were more lines than fit."""
        self.ended = False
        self._tail, self._room = tail, max_bytes
        self._pattern = re.compile(pattern.encode()) if pattern is not None else None
        self._until = comparable(until.encode()) if until is not None else None
        self._rest: bytes = b""
        self._overlong, self._used = False, 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self._overlong:
            _, newline, chunk = chunk.partition(b"\n")
            if not newline:
                return
            self._take(self._rest)
            self._rest, self._overlong = b"", False
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST_LINE:
            self._rest, self._overlong = self._rest[:LONGEST_LINE], True
        for line in lines:
            self._take(line)

    def end(self) -> list[bytes]:
        """What is kept, once everything was fed."""
        if self._rest:
            self._take(self._rest)
            self._rest = b""
        return list(self.lines)

    def _take(self, line: bytes) -> None:
        if self.ended or not line:
            return
        line = line[:LONGEST_LINE]
        stamp, _, said = line.partition(b" ")
        if self._until is not None and comparable(stamp) >= self._until:
            self.ended = True
            return
        if self._pattern is not None and not self._pattern.search(said):
            return
        self.lines.append(line)
        self._used += len(line) + 1
        while len(self.lines) > self._tail or (self._used > self._room and len(self.lines) > 1):
            self._used -= len(self.lines.popleft()) + 1
            self.dropped = True


def comparable(stamp: bytes) -> bytes:
    """A timestamp in UTC with nine digits of fraction, whose bytes sort by time; empty if it is none."""
    if not stamp.endswith(b"Z"):
        try:
            moment = datetime.fromisoformat(stamp.decode()).astimezone(UTC)
        except (ValueError, UnicodeDecodeError):
            return b""
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
    return stamp[:19] + b"." + stamp[20:-1].ljust(9, b"0")


def main() -> None:
    keeper = LineKeeper(**json.loads(sys.argv[1]))
    while not keeper.ended and (chunk := os.read(sys.stdin.fileno(), _CHUNK)):
        keeper.feed(chunk)
    lines = keeper.end()
    sys.stdout.buffer.write(b"%d\n" % keeper.dropped + b"\n".join(lines))


if __name__ == "__main__":
    main()
