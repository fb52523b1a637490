"""The imports."""

from collections.abc import Sequence
from typing import Any

from flotilla_kit.imports import Importer

IMPORTERS: Sequence[Importer[Any, Any]] = []
OPTIONS: dict[str, str] = {}
