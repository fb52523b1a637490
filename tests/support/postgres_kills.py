"""A PostgreSQL that is killed at a named moment, and started again."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal

import psycopg

from .postgres import Cluster

Fate = Literal["rolled back", "committed"]

# What a transaction that wrote a row of some state does at COMMIT, where the server was started with these settings: it
# waits before it is committed, or (for a standby that is not there) after that, and before anybody is told.
_HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(to_jsonb(NEW) ->> 'state', 'any') = current_setting('doom.state', true) THEN
        IF current_setting('doom.fate') = 'rolled back' THEN
            PERFORM pg_sleep(60);
        ELSE
            PERFORM set_config('synchronous_commit', 'on', true);
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER hold AFTER INSERT OR UPDATE ON {table} INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION hold();
"""
_HELD = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event IN ('PgSleep', 'SyncRep')"


def restart(cluster: Cluster) -> "Future[None]":
    """Kill it now, and start it again a moment later, which is done with the future."""
    cluster.kill()
    return _beside(lambda: (time.sleep(0.3), cluster.start()))


class KilledOnce:
    """Kills a PostgreSQL the first time it is called; it comes back."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.calls, self.started = 0, Future[None]()

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == 1:
            self.started = restart(self._cluster)


def start_holding(cluster: Cluster, state: str, fate: Fate) -> None:
    """Start it anew so that COMMITs of rows of that state wait (`add_hold` says of which table)."""
    cluster.kill()
    settings = {"synchronous_commit": "local", "synchronous_standby_names": "nobody"}
    cluster.start(**settings, doom__state=state, doom__fate=fate)


def add_hold(url: str, table: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_HOLD.format(table=table).encode())


def restart_once_held(cluster: Cluster) -> "Future[None]":
    """Kill it as soon as a COMMIT waits, and start it again, then without holding any."""

    def run() -> None:
        with psycopg.connect(cluster.address, autocommit=True) as connection:
            while connection.execute(_HELD).fetchone() != (1,):
                time.sleep(0.01)
        cluster.kill()
        cluster.start()

    return _beside(run)


def _beside(f: Callable[[], object]) -> "Future[None]":
    done = Future[None]()

    def run() -> None:
        try:
            f()
            done.set_result(None)
        except BaseException as error:  # noqa: BLE001  whoever waits is told
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done
