"""The reference memory server from npm over stdio: each turn is an entity, each word of a question a search of its own.

It does not rank; what more words find comes first. It knows no accounts, so each has a server of its own.
"""

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from flotilla_memory.retrieval import words

from .accounts import Hit
from .data import Sample, turns
from .measures import Measured

_PROGRAM = Path(__file__).parent.parent / "node_modules/@modelcontextprotocol/server-memory/dist/index.js"
NAME = "server-memory"
_BATCH = 500


def is_there() -> bool:
    return _PROGRAM.exists()


async def ask(node: str, samples: Sequence[Sample], every: int, folder: Path) -> Measured:
    """Answer every so-many-th question of each sample."""
    measured = Measured(NAME)
    for number, sample in enumerate(samples):
        environment = {"MEMORY_FILE_PATH": str(folder / f"{number}.jsonl")}
        transport = StdioTransport(node, [str(_PROGRAM)], env=environment, log_file=folder / "log", keep_alive=False)
        async with Client(transport) as client:
            texts = turns(sample.episodes)
            entities = [
                {"name": turn_id, "entityType": "turn", "observations": [f"{turn.speaker}: {turn.text}"]}
                for turn_id, turn in texts.items()
            ]
            for start in range(0, len(entities), _BATCH):
                await client.call_tool("create_entities", {"entities": entities[start : start + _BATCH]})
            for question in sample.questions[::every]:
                started = time.perf_counter()
                counted: Counter[str] = Counter()
                size = 0
                for word in dict.fromkeys(words.terms(question.text)):
                    answer: Any = await client.call_tool("search_nodes", {"query": word})
                    text = str(answer.content[0].text)
                    size += len(text.encode())
                    counted.update(str(entity["name"]) for entity in json.loads(text)["entities"])
                seconds = time.perf_counter() - started
                best = [(turn_id, count) for turn_id, count in counted.most_common(20) if turn_id in texts]
                measured.add(question, [Hit(turn_id, 1.0, texts[turn_id].text) for turn_id, _ in best], seconds, size)
    return measured
