"""`python -m flotilla_kit SERVER …`: the command of a server that is a module and no distribution of its own."""

import sys

from .cli import main

if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("python -m flotilla_kit takes a module with Settings and SPEC first")
    raise SystemExit(main(sys.argv[1], sys.argv[2:]))
