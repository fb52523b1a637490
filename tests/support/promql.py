"""The names of metrics in the queries of `configs/observability`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent.parent.parent / "configs" / "observability"
_NO_NAME = re.compile(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)')
_NAME = re.compile(r"\b[a-zA-Z_:][\w:]*\b(?!\s*\()")
_WORDS = {"and", "or", "unless", "bool", "offset"}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return json.loads((FOLDER / "dashboard.json").read_text())["panels"]


def queries() -> Iterator[tuple[str, str]]:
    """The title of each rule and panel, with what it queries."""
    yield from ((rule["alert"], rule["expr"]) for rule in rules())
    yield from ((panel["title"], target["expr"]) for panel in panels() for target in panel["targets"])


def metric_names(query: str) -> set[str]:
    return set(_NAME.findall(_NO_NAME.sub(" ", query))) - _WORDS
