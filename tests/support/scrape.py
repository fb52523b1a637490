"""Metrics as Prometheus reads them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Scrape:
    """What one process told at one moment: each sample by its name and labels."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.samples}

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that have these labels."""
        found = [
            value for (of, has), value in self.samples.items() if of == name and labels.items() <= dict(has).items()
        ]
        assert found, f"there is no {name} with {labels}: {sorted(map(str, self.samples))}"
        return sum(found)

    def labels(self, name: str, label: str) -> set[str]:
        return {dict(has)[label] for of, has in self.samples if of == name}


def scrape(url: str) -> Scrape:
    answer = httpx2.get(url, trust_env=False)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return Scrape(
        {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}
    )


def metrics_url(log: Path) -> str:
    """Where a server serves them, as its log says."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if '"event": "metrics"' in line]
    return str(lines[-1]["url"])
