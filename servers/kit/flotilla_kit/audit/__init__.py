"""A server's audit: `append` in a transaction, `Committer` for the rest, `verify` and `export` to look at it."""

from .anchors import Anchor, read_anchors, write_anchor
from .chain import GENESIS, Head, Record, append, append_in_effect, head, is_written
from .committer import Committer
from .verification import Verdict, export, verify, verify_export

__all__ = [
    "GENESIS",
    "Anchor",
    "Committer",
    "Head",
    "Record",
    "Verdict",
    "append",
    "append_in_effect",
    "export",
    "head",
    "is_written",
    "read_anchors",
    "verify",
    "verify_export",
    "write_anchor",
]
