"""`python -m benchmarks.retrieval DATA…`: recall on files in LoCoMo's format, or on the sample company without any.

The shipped weights were fitted to LoCoMo. Any other data they have not seen; for LoCoMo itself `--cross-validate` fits
them without each conversation in turn, and only that is a fair figure. With `--semantic` the memory is asked once more,
with the encoder of the extra.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import flotilla_memory
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_memory.embedder import Embedder
from flotilla_memory.encoding.encoder import MINILM, Encoder, encoder_of
from flotilla_memory.retrieval import ranking
from flotilla_memory.sql_store import MIGRATIONS
from sqlalchemy import Connection

from ..calls import node
from . import peer
from .accounts import Account, fill
from .data import ABSENT, Sample, read
from .fitting import Choice, fit
from .measures import Measured, print_table

_COMPANY = [
    Path(flotilla_memory.__file__).parent / "demo" / "company.json",
    Path(__file__).parent / "company_questions.json",
]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.retrieval", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", nargs="*", type=Path, help="files or folders in LoCoMo's format")
    parser.add_argument("--database-url", help="of an empty PostgreSQL database; else SQLite")
    parser.add_argument("--cross-validate", action="store_true", help="weights fitted without the account asked about")
    parser.add_argument("--semantic", action="store_true", help="ask with an encoder too")
    parser.add_argument("--encoder", default=MINILM, help="folder of another encoder than the extra's")
    parser.add_argument("--fit", action="store_true", help="print the weights fitted to all of the data")
    parser.add_argument(
        "--peer-every", type=int, default=1, metavar="N", help="ask the peer every Nth question; 0: none"
    )
    options = parser.parse_args(arguments)
    samples = read(options.data or _COMPANY)
    with tempfile.TemporaryDirectory() as folder:
        url = options.database_url or f"sqlite:///{folder}/store.db"
        asyncio.run(_run(samples, url, Path(folder), options))


async def _run(samples: Sequence[Sample], url: str, folder: Path, options: argparse.Namespace) -> None:
    database = await Database.open(url, [KIT_MIGRATIONS, MIGRATIONS])
    started = time.perf_counter()
    accounts = await database.write(fill, samples)
    turns = sum(len(account.turns) for account in accounts)
    print(f"{len(samples)} accounts, {turns} turns, written in {time.perf_counter() - started:.1f} s\n")
    encoders: list[Encoder | None] = [None]
    if options.semantic:
        encoders.append(encoder := encoder_of(options.encoder))
        await _encode(database, encoder, turns)
    systems: list[Measured] = []
    for encoder in encoders:
        held_out: Sequence[Mapping[str, float] | None] = [None] * len(accounts)
        if options.fit or options.cross_validate:
            everything, without = await database.read(_weights, accounts, encoder)
            if options.fit:
                print({name: round(weight, 2) for name, weight in everything.items()}, "\n")
            held_out = without
        systems.append(await _ask(database, accounts, held_out, encoder))
    systems.append(await _ask_plainly(database, accounts))
    await database.close()
    if options.peer_every and peer.is_there() and (program := node()):
        systems.append(await peer.ask(str(program), samples, options.peer_every, folder))
    print_table(systems)


async def _encode(database: Database, encoder: Encoder, turns: int) -> None:
    started = time.process_time()
    await Embedder(database, encoder).finish()
    print(f"{(time.process_time() - started) / turns * 1e3:.1f} ms of processor time to encode a turn\n")


async def _ask(
    database: Database,
    accounts: Sequence[Account],
    weights: Sequence[Mapping[str, float] | None],
    encoder: Encoder | None,
) -> Measured:
    measured = Measured("memory" if encoder is None else "memory [semantic]")
    for account, of_account in zip(accounts, weights, strict=True):
        for question in account.sample.questions:
            started = time.perf_counter()
            hits = await database.read(account.find, question, of_account, encoder)
            measured.add(question, hits, time.perf_counter() - started)
    return measured


async def _ask_plainly(database: Database, accounts: Sequence[Account]) -> Measured:
    measured = Measured("BM25")
    for account in accounts:
        for question in account.sample.questions:
            started = time.perf_counter()
            hits = await database.read(account.find_plainly, question)
            measured.add(question, hits, time.perf_counter() - started)
    return measured


def _weights(
    conn: Connection, accounts: Sequence[Account], encoder: Encoder | None
) -> tuple[dict[str, float], list[Mapping[str, float]]]:
    """Fitted to all accounts, and for each account to all others."""
    groups = [list(_choices(conn, account, encoder)) for account in accounts]
    everything, without = fit(groups)
    names = ranking.FEATURES if encoder is None else ranking.FEATURES_WITH_VECTORS
    return dict(zip(names, everything, strict=True)), [dict(zip(names, weights, strict=True)) for weights in without]


def _choices(conn: Connection, account: Account, encoder: Encoder | None) -> list[Choice]:
    choices: list[Choice] = []
    for question in account.sample.questions:
        if question.kind == ABSENT:
            continue
        candidates = account.examine(conn, question, encoder).candidates
        ids = [account.turns[candidate.passage.passage_key][0] for candidate in candidates]
        if evidence := [at for at, turn_id in enumerate(ids) if turn_id in question.evidence]:
            choices.append(Choice([candidate.features for candidate in candidates], evidence))
    return choices
