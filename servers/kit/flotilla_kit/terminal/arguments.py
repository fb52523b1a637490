"""How sub-commands describe their arguments. Read at every start, so nothing heavy is imported here."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Add = Callable[..., argparse.ArgumentParser]
"""`add_parser` of some sub-parsers: `add(name, help)`."""


class LateParser(argparse.ArgumentParser):
    """A sub-command's parser that is described only when that sub-command is what was typed."""

    describe: "Callable[[argparse.ArgumentParser], None] | None" = None

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride]  # argparse's overloads
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        describe, self.describe = self.describe, None
        if describe:
            describe(self)
        return super().parse_known_args(args, namespace)


def add_actions(parser: argparse.ArgumentParser) -> Add:
    """Give a sub-command actions of its own, such as `list` of `approvals list`."""
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, parser_class=argparse.ArgumentParser
    )

    def add(name: str, description: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, allow_abbrev=False, help=description, description=description)

    return add


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="answer as JSON")


def add_options(parser: argparse.ArgumentParser, options: Mapping[str, str]) -> None:
    """Give a sub-command flags that only some server has, with what each means."""
    for name, meaning in options.items():
        parser.add_argument(f"--{name}", help=meaning, metavar=name.upper())
    parser.set_defaults(options=list(options))


def given_options(arguments: argparse.Namespace) -> dict[str, str]:
    """Those of the flags of `add_options` that were given."""
    return {name: value for name in arguments.options if (value := getattr(arguments, name)) is not None}


def whole_number(text: str) -> int:
    """An argument's type: a whole number from 0."""
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)
