"""Splits a Markdown document into sections by its headings. Pure."""

import re
from dataclasses import dataclass

_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*\s*$")
_FENCE = re.compile(r"^\s*(```|~~~)")


@dataclass(frozen=True)
class Section:
    """A heading's own text. `heading` is the path of headings below the title; lines count from 1, both inclusive."""

    heading: str
    text: str
    first_line: int
    last_line: int


@dataclass(frozen=True)
class Parsed:
    """A document's title (its first top heading, else its name) and its sections in order."""

    title: str
    sections: tuple[Section, ...]


def parse(text: str, name: str) -> Parsed:
    """Split a document; front matter and headings inside code fences are not headings."""
    lines = text.splitlines()
    start = _after_front_matter(lines)
    title, path, fenced = "", list[tuple[int, str]](), False
    sections: list[Section] = []
    first, body = start, list[str]()

    def finish(end: int) -> None:
        content = "\n".join(body).strip()
        if content:
            sections.append(Section(" > ".join(words for _, words in path), content, first + 1, end))

    for number, line in enumerate(lines[start:], start):
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.match(line)
        if not heading:
            body.append(line)
            continue
        finish(number)
        level, words = len(heading[1]), heading[2]
        if level == 1 and not title:
            title = words
        else:
            path = [(depth, other) for depth, other in path if depth < level] + [(level, words)]
        first, body = number, []
    finish(len(lines))
    return Parsed(title or name, tuple(sections))


def _after_front_matter(lines: list[str]) -> int:
    if lines[:1] != ["---"]:
        return 0
    return next((number + 1 for number, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), 0)
