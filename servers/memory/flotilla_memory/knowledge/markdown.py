"""Splits a Markdown document into sections by its headings. Pure."""

import re
from dataclasses import dataclass

_HEADING = re.compile(r"(#{1,6})\s+")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")
SUMMARY = 160  # characters


@dataclass(frozen=True)
class Section:
    """A heading's own text. `heading` is the path of headings below the title.

    Lines count from 1, both inclusive: from the heading's to the text's last.
    """

    heading: str
    text: str
    first_line: int
    last_line: int


@dataclass(frozen=True)
class Parsed:
    """A document's title (its first top heading, else its name), its first line of prose, its sections in order."""

    title: str
    summary: str
    sections: tuple[Section, ...]


def parse(text: str, name: str) -> Parsed:
    """Split a document; front matter and headings inside code fences are not headings."""
    lines = text.splitlines()
    start = after_front_matter(lines)
    title, path, fence = "", list[tuple[int, str]](), ""
    sections: list[Section] = []
    first, body = start, list[str]()

    def finish(end: int) -> None:
        while body and not body[-1].strip():
            body.pop()
            end -= 1
        if body:
            sections.append(Section(" > ".join(words for _, words in path), "\n".join(body).strip(), first + 1, end))

    for number, line in enumerate(lines[start:], start):
        fence = _fence_after(line, fence)
        heading = None if fence else _heading(line)
        if not heading:
            body.append(line)
            continue
        finish(number)
        level, words = heading
        if level == 1 and not title:
            title = words
        else:
            path = [(depth, other) for depth, other in path if depth < level] + [(level, words)]
        first, body = number, []
    finish(len(lines))
    return Parsed(title or name, _summary(sections), tuple(sections))


def excerpt(text: str, at: int, limit: int) -> tuple[int, int]:
    """Where to cut `limit` characters or fewer around a position: between lines, unless a line is too long for it."""
    start = max(0, min(at - limit // 4, len(text) - limit))
    if start:
        start = max(start, text.find("\n", start - 1, at) + 1)
    end = start + limit
    if end < len(text):
        newline = text.rfind("\n", start + limit // 2, end + 1)
        end = newline if newline != -1 else end
    return start, end


def after_front_matter(lines: list[str]) -> int:
    """How many lines the front matter of a document takes, its rules included; 0 if it has none."""
    # A rule, and not front matter, has an empty line below it (as Pandoc has it).
    if len(lines) < 2 or lines[0].rstrip() != "---" or not lines[1].strip():
        return 0
    return next((number + 1 for number, line in enumerate(lines[1:], 1) if line.rstrip() in ("---", "...")), 0)


def _fence_after(line: str, fence: str) -> str:
    """The fence that is open after a line, given the one before it (https://spec.commonmark.org/0.31.2/#fenced-code-blocks).

    Any indentation will do: inside a list it is the list's.
    """
    found = _FENCE.match(line)
    if not found:
        return fence
    mark, info = found[1], found[2]
    if fence:
        return "" if mark.startswith(fence) and not info.strip() else fence
    return "" if mark[0] == "`" and "`" in info else mark


def _heading(line: str) -> tuple[int, str] | None:
    """A heading's level and words."""
    opening = _HEADING.match(line)
    if not opening:
        return None
    words = line[opening.end() :].rstrip()
    bare = words.rstrip("#")
    if not bare or bare[-1].isspace():  # only then are they a closing sequence: `# C#` is not closed
        words = bare.rstrip()
    return (len(opening[1]), words) if words else None


def _summary(sections: list[Section]) -> str:
    lines = (line.strip() for section in sections for line in section.text.splitlines())
    return next((line[:SUMMARY] for line in lines if line and line[0] not in "#-|>`~"), "A document.")
