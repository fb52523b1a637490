"""The exports."""

from collections.abc import Sequence

from flotilla_kit.exports import Exporter

EXPORTERS: Sequence[Exporter] = []
