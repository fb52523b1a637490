"""A PostgreSQL that is killed in the middle of a transaction, or at its COMMIT, and comes back."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from flotilla_kit import effects
from flotilla_kit.effects import Effect
from flotilla_kit.errors import StoreUnavailable
from flotilla_kit.exports import Exporter, Progress, export_to
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from sqlalchemy import Connection, text
from support.postgres import Cluster
from support.postgres_kills import Fate, KilledOnce, add_hold, restart_once_held, start_holding

EFFECT = Effect("owner", "", "issue_refund", "key", effects.digest({"amount_minor": 1}), mode="cleared")


def count(connection: Connection) -> int:
    return connection.execute(text("SELECT count(*) FROM effects")).scalar_one()


def record_once(connection: Connection, meanwhile: Callable[[], None] = lambda: None) -> bool:
    """Whether it was recorded before."""
    if effects.recorded(connection, EFFECT) is not None:
        return True
    effects.record(connection, EFFECT, {})
    meanwhile()
    return False


async def test_a_read_whose_connection_is_lost_is_made_again(doomed_cluster: Cluster, doomed_url: str) -> None:
    database, kill = await Database.open(doomed_url, [KIT_MIGRATIONS]), KilledOnce(doomed_cluster)

    def count_twice(connection: Connection) -> int:
        count(connection)
        kill()
        return count(connection)

    assert await database.read(count_twice) == 0
    assert kill.calls == 2
    await database.close()


async def test_a_read_that_ends_every_connection_is_not_made_again_for_ever(doomed_url: str) -> None:
    database, runs = await Database.open(doomed_url, [KIT_MIGRATIONS], restart_s=0.6), list[int]()

    def end(connection: Connection) -> int:
        runs.append(1)
        return connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())")).scalar_one()

    with pytest.raises(StoreUnavailable) as away:
        await database.read(end)
    assert away.value.retryable and 1 < len(runs) < 4
    await database.close()


async def test_what_is_written_under_a_key_is_written_once_when_its_connection_is_lost(
    doomed_cluster: Cluster, doomed_url: str
) -> None:
    database, kill = await Database.open(doomed_url, [KIT_MIGRATIONS]), KilledOnce(doomed_cluster)
    assert await database.write_unique(record_once, kill) is False
    assert kill.calls == 2 and await database.read(count) == 1
    await database.close()


async def test_another_write_whose_connection_is_lost_is_its_callers_to_repeat(
    doomed_cluster: Cluster, doomed_url: str
) -> None:
    database, kill = await Database.open(doomed_url, [KIT_MIGRATIONS]), KilledOnce(doomed_cluster)
    with pytest.raises(StoreUnavailable) as away:
        await database.write(record_once, kill)
    assert away.value.retryable and kill.calls == 1
    assert await database.read(count) == 0
    await database.close()


@pytest.mark.parametrize("fate", ["rolled back", "committed"])
async def test_what_is_written_under_a_key_is_written_once_whatever_became_of_its_commit(
    doomed_cluster: Cluster, doomed_url: str, fate: Fate
) -> None:
    start_holding(doomed_cluster, "any", fate)
    database = await Database.open(doomed_url, [KIT_MIGRATIONS])
    add_hold(doomed_url, "effects")
    started = restart_once_held(doomed_cluster)
    assert await database.write_unique(record_once) is (fate == "committed")
    await asyncio.wrap_future(started)
    assert await database.read(count) == 1
    await database.close()


@pytest.mark.parametrize("as_folder", [False, True])
async def test_an_export_whose_connection_is_lost_is_written_anew(
    postgres_url: str, tmp_path: Path, as_folder: bool
) -> None:
    progress, runs = Progress(), list[int]()

    def write(connection: Connection, path: Path, options: Mapping[str, str], progress: Progress) -> Mapping[str, int]:
        file = path / "page" if as_folder else path
        file.parent.mkdir(exist_ok=as_folder is False)
        with file.open("x") as written:
            runs.append(1)
            print(f"run {len(runs)}", file=written)
        progress.advance()
        end_it = "SELECT pg_terminate_backend(pg_backend_pid())"
        connection.execute(text(end_it if len(runs) == 1 else "SELECT 1"))
        return {"pages": 1}

    database = await Database.open(postgres_url, [KIT_MIGRATIONS])
    assert await export_to(database, Exporter("pages", write), tmp_path / "out", {}, progress) == {"pages": 1}
    assert (tmp_path / "out" / "page" if as_folder else tmp_path / "out").read_text() == "run 2\n"
    assert progress.done == 1
    await database.close()
