"""CSV with a header, as spreadsheets and vendors export it: commas or semicolons, quotes, blank lines."""

import csv
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from .problems import ImportRefused, Problem
from .rows import Row
from .source import Source

Cells = Mapping[str, str]
"""A row's cells without the white space around them, by column name in lower case."""


def read_csv(
    source: Source, *, required: Collection[str], other_names: Mapping[str, str] | None = None, name: str = "the file"
) -> Iterator[Row[Cells] | Problem]:
    """Each row of a CSV file that is not blank; a ragged one is a problem.

    Args:
        required: columns without which it is another file.
        other_names: by a vendor's spelling of a column, the name that it is known by here; both in lower case.
        name: what the file should be, for the refusal: `Stripe's payments export`.

    Raises:
        ImportRefused: it has no header with these columns, or from some line on it cannot be read.
    """
    lines = source.lines()
    first = next(lines)
    reader = csv.reader(_with(first, lines), delimiter=";" if first.count(";") > first.count(",") else ",")
    try:
        header = _header(next(reader), {**(other_names or {}), **source.columns})
        _require(header, required, name)
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) != len(header) and any(cell.strip() for cell in cells):
                # Cut off, or shifted by a comma that is not quoted.
                message = f"it has more or fewer cells ({len(cells)}) than the header ({len(header)})"
                yield Problem(line, message)
            elif any(cell.strip() for cell in cells):
                yield Row(line, {column: cell.strip() for column, cell in zip(header, cells, strict=True)})
            line = reader.line_num + 1
    except csv.Error as error:
        raise ImportRefused([Problem(reader.line_num, f"{error}; is a quote not closed?")]) from None


def _with(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _header(cells: list[str], other_names: Mapping[str, str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    return [other if (other := other_names.get(name, name)) not in names else name for name in names]


def _require(header: list[str], required: Collection[str], name: str) -> None:
    missing = [column for column in required if column not in header]
    if missing:
        message = (
            f"this is not {name}; it lacks the columns {', '.join(missing)} "
            "(--map THEIRS=OURS says which of its columns one of them is)"
        )
        raise ImportRefused([Problem(1, message, missing[0])])
    twice = [column for column, times in Counter(header).items() if times > 1 and column]
    if twice:
        raise ImportRefused([Problem(1, "the column '{value}' stands twice in the header", value=twice[0])])
