"""How often one principal may call several processes together: the buckets of `RateLimit`, in memory that they share.

A table of `_SETS` sets of `_WAYS` callers each; a caller's place is its set, wherever in it. A process that is killed
lets go of its lock, which is why it is one of `fcntl` and not a semaphore.
"""

import fcntl
import hashlib
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Callable
from typing import IO

from .rate_limit import Bucket

_SETS, _WAYS = 2048, 8
_ENTRY = struct.Struct("16sdd")  # a caller's digest, what is left, and when that was so


class SharedRateLimit:
    """`per_s` calls a second for each caller, over this process and all that are forked from it later."""

    def __init__(self, per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._bucket, self._clock = Bucket(per_s), clock
        self._file = _nameless_file()
        self._file.truncate(_SETS * _WAYS * _ENTRY.size)
        self._table = mmap.mmap(self._file.fileno(), 0)
        self._key = os.urandom(16)  # nobody can choose names that share a set

    def wait_s(self, *caller: str) -> float:
        """Take one call: 0 if it may go ahead, else for how long this caller has to wait."""
        digest = hashlib.blake2b(repr(caller).encode(), digest_size=16, key=self._key).digest()
        number = int.from_bytes(digest[:4]) % _SETS
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, number)
        try:
            return self._take(digest, number * _WAYS * _ENTRY.size)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)

    def _take(self, digest: bytes, start: int) -> float:
        now = self._clock()
        place, left, at, oldest = start, self._bucket.most, now, float("inf")
        for offset in range(start, start + _WAYS * _ENTRY.size, _ENTRY.size):
            holder, its_left, its_at = _ENTRY.unpack_from(self._table, offset)
            if holder == digest:
                place, left, at = offset, its_left, its_at
                break
            if its_at < oldest:  # whoever was seen longest ago makes room; a free place is of no time
                place, oldest = offset, its_at
        left, wait_s = self._bucket.take(left, at, now)
        _ENTRY.pack_into(self._table, place, digest, left, now)
        return wait_s


def _nameless_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("rates"), "r+b")
    return tempfile.TemporaryFile()
