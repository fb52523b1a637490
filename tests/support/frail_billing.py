"""The billing server's command, in processes that die where files in their home say so.

`no-start` in it: whoever makes a store ends. `die-at` with the name of a place in a mutation (see `effects.faults`):
the first process that passes it is killed there.
"""

import os
import signal
from pathlib import Path

from flotilla_billing.__main__ import main
from flotilla_billing.settings import Settings
from flotilla_billing.sql_store import SqlBillingStore
from flotilla_kit.effects import faults

HOME = Path(os.environ["FLOTILLA_HOME"])
NO_START, DIE_AT = "no-start", "die-at"
ENDS_WITH = 7


class FrailStore(SqlBillingStore):
    """The store of a process that may not start."""

    def __init__(self, settings: Settings) -> None:
        if (HOME / NO_START).exists():
            os._exit(ENDS_WITH)
        super().__init__(settings)


def die(place: str) -> None:
    order = HOME / DIE_AT
    if order.exists() and order.read_text() == place:
        order.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    from dataclasses import replace

    from flotilla_billing import server

    faults.hook = die
    server.SPEC = replace(server.SPEC, create_store=FrailStore)
    raise SystemExit(main())
