"""Coordinates of the delegation graph on the trace page: agents from left to right, by who delegated to whom."""

from collections.abc import Sequence
from dataclasses import dataclass

from .trace_rows import Row

WIDTH, HEIGHT = 190, 46  # pixels of a box
_RIGHT, _DOWN = WIDTH + 50, HEIGHT + 14


@dataclass(frozen=True)
class Node:
    row: Row
    x: float
    y: float
    edges: str
    """SVG paths to the agents that it delegated to."""


class Graph:
    """The run and its sessions as a tree: every leaf has a line of its own, its parents are centred."""

    def __init__(self, rows: Sequence[Row]) -> None:
        agents = {row.span.span_id: row for row in rows if not row.is_call}
        parents = {row.span.span_id: row.span.parent_id for row in rows}
        self._children: dict[str | None, list[Row]] = {}
        for row in agents.values():
            parent_id = row.span.parent_id
            while parent_id and parent_id not in agents:  # a delegation is between two agents
                parent_id = parents.get(parent_id)
            self._children.setdefault(parent_id, []).append(row)
        self.nodes: list[Node] = []
        self._leaves = 0
        for row in self._children.get(None, ()):
            self._place(row, 1)
        self.nodes.sort(key=lambda node: (node.x, node.y))
        self.width = max((node.x for node in self.nodes), default=0) + WIDTH + 1
        self.height = max(self._leaves, 1) * _DOWN

    def _place(self, row: Row, x: float) -> float:
        """Place it and all below it; returns its y."""
        below = [self._place(child, x + _RIGHT) for child in self._children.get(row.span.span_id, ())]
        if not below:
            self._leaves += 1
        y = (below[0] + below[-1]) / 2 if below else (self._leaves - 1) * _DOWN + 1
        edges = "".join(_edge(x + WIDTH, y + HEIGHT / 2, x + _RIGHT, child + HEIGHT / 2) for child in below)
        self.nodes.append(Node(row, x, y, edges))
        return y


def _edge(x: float, y: float, to_x: float, to_y: float) -> str:
    middle = (x + to_x) / 2
    return f"M{x:g} {y:g}C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}"
