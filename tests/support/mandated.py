"""Servers that want mandates, over HTTP and stdio, with one customer's (or folder's) records that nobody may see."""

import csv
import io
import json
import sqlite3
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastmcp.client.transports import StdioTransport
from flotilla_billing.payments_import import SAMPLE
from flotilla_kit.identity.approvers import mint
from flotilla_kit.identity.keys import SigningKey, write_jwks

from . import programs
from .commands import billing
from .processes import BIN, clean_environment, http_server
from .tokens import worker_claims

OURS, THEIRS = "cust_12345", "cust_quillfeather"
SECRET = "Quillfeather"
ALLOWED, FORBIDDEN = "policies/refunds", "private/quillfeather"
_UNLIMITED = ("--calls-per-second", "100000")


@dataclass(frozen=True)
class Served:
    """A server process over HTTP; `stdio` starts others over the same records."""

    name: str
    home: Path
    url: str
    issuer: SigningKey
    """Signs mandates."""
    approver: SigningKey

    def token(self, subject: str, details: Sequence[Mapping[str, Any]] = (), **claims: object) -> str:
        """A worker's, with these `authorization_details`."""
        return self.issuer.sign(worker_claims(sub=subject, aud=self.name, authorization_details=details, **claims))

    def approver_token(self, key: SigningKey | None = None, subject: str = "") -> str:
        """An approver's, by their own key unless another one is to sign it."""
        genuine = mint(self.approver, issuer=f"flotilla-{self.name}-approvers", audience=self.name)
        if key is None:
            return genuine
        claims = worker_claims(iss=f"flotilla-{self.name}-approvers", aud=self.name, sub=subject or key.kid, run=None)
        return key.sign(claims)

    def stdio(self, token: str, log: str) -> StdioTransport:
        """For a client: a process of its own for whoever has this token; it ends with the client's connection."""
        return StdioTransport(
            str(BIN / f"flotilla-{self.name}"),
            self.flags(),
            env=self.environment(token),
            keep_alive=False,
            log_file=self.home / log,
        )

    def flags(self) -> list[str]:
        return [
            *_keys(self.home),
            *_UNLIMITED,
            *(("--knowledge", str(self.home / "knowledge")) if self.name == "memory" else ()),
        ]

    def environment(self, token: str) -> dict[str, str]:
        return clean_environment(self.home, {"FLOTILLA_MANDATE": token})

    @property
    def _database(self) -> Path:
        return self.home / f"{self.name}.db"

    def contents(self) -> str:
        """Everything that a call could change, byte for byte: all tables but the audit's, and all documents."""
        files = sorted(path for path in (self.home / "knowledge").rglob("*") if path.is_file())
        with closing(sqlite3.connect(self._database)) as store:
            names = store.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'audit%'")
            tables = sorted(name for (name,) in names)
            rows = {table: store.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
        return json.dumps([rows, [(str(path), path.read_bytes().hex()) for path in files]])

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Of the database that has the records of calls."""
        with closing(sqlite3.connect(self._database)) as audit:
            return audit.execute(statement, values).fetchall()

    def recorded(self) -> "Counter[str]":
        """How many audit records each subject has; the refusals of unknown callers under the empty one."""
        return Counter(dict(self.rows("SELECT subject, sum(count) FROM audit GROUP BY subject")))

    def verify(self) -> None:
        """The audit's chain holds, by the server's own sub-command."""
        words = (f"flotilla-{self.name}", "audit", "verify", "--json")
        done = programs.run(*words, environ=clean_environment(self.home), folder=self.home)
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def served(name: str, home: Path) -> Generator[Served]:
    """The billing or memory server while the block lasts, with records of ours and of others."""
    issuer, approver = SigningKey.generate(), SigningKey.generate("ada")
    home.mkdir(parents=True, exist_ok=True)
    write_jwks(home / "issuer.json", [issuer.public_jwk()])
    write_jwks(home / "ada.json", [approver.public_jwk()])
    flags = ["--knowledge", str(_knowledge(home / "knowledge"))] if name == "memory" else ["--demo-data"]
    with http_server(name, home, *flags, *_keys(home), *_UNLIMITED, tokens=True) as running:
        if name == "billing":
            _import_theirs(home)
        yield Served(name, home, running.url, issuer, approver)


def _keys(home: Path) -> list[str]:
    return ["--mandate-keys", str(home / "issuer.json"), "--approver-keys", str(home / "ada.json")]


def _knowledge(folder: Path) -> Path:
    for document, text in {
        ALLOWED: "# Refunds\n\nWe refund.",
        FORBIDDEN: f"# {SECRET}\n\nOwes us 7391846 dollars.",
    }.items():
        path = folder / f"{document}.md"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return folder


def _import_theirs(home: Path) -> None:
    """Four charges of a customer whose every name, id and amount is found nowhere else."""
    sample = list(csv.DictReader(io.StringIO(SAMPLE.read_text())))
    model = next(row for row in sample if row["id"] == "ch_maya_feb_2")
    theirs = {
        "Customer ID": THEIRS,
        "Customer Description": f"Zebulon {SECRET}",
        "Customer Email": "zeb@quillfeather.example",
    }
    written = io.StringIO()
    writer = csv.DictWriter(written, fieldnames=list(model))
    writer.writeheader()
    for n in range(1, 5):
        own = {"id": f"ch_quillfeather_{n}", "Invoice ID": f"in_quillfeather_{n % 2}", "Card ID": "card_quillfeather"}
        amount = {"Amount": f"73918.4{n}", "Converted Amount": f"73918.4{n}"}
        writer.writerow({**model, **theirs, **own, **amount, "Description": f"Quillfeather quota {n}"})
    export = home / "theirs.csv"
    export.write_text(written.getvalue())
    billing(home, "import", export)
