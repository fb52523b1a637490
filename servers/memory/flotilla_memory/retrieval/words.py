"""The terms of a text: English stems of folded words without stop words, and pairs of characters where no spaces are.

What is indexed and what is asked go through the same function.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from itertools import product
from typing import cast

from snowballstemmer.english_stemmer import EnglishStemmer  # pyright: ignore[reportMissingTypeStubs]  # it has none

STOP_WORDS = frozenset(
    """
    a an and are as at be been but by can could did do does for from had has have he her hers him his how i if in is
    it its just me my of on or our she so that the their them then there they this to us was we were what when where
    which who whom why will with would you your yours about into than too very not no s t re ve ll d m don am being
    during any some also
    """.split()  # noqa: SIM905  # a list would be one word a line
)
MAX_TERM = 40  # characters; longer words are identifiers or noise, and are found by their beginning

# Scripts that do not put spaces between words; a run of them is indexed by pairs.
_UNSPACED = (
    "\u0e00-\u0eff\u1100-\u11ff\u3040-\u30ff\u3130-\u318f"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORDS = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+(?:'[^\W_{_UNSPACED}]+)?")
_ASCII_WORDS = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)?")
_STARTS_UNSPACED = re.compile(rf"[{_UNSPACED}]")

_stem = cast("Callable[[str], str]", EnglishStemmer().stemWord)  # pyright: ignore[reportUnknownMemberType]  # as above


def fold(text: str) -> str:
    """Lower case, without accents and other marks, and compatibility forms as what they stand for."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.replace("\u2019", "'").casefold())
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not unicodedata.combining(c)))


def folded(text: str) -> str:
    """As `fold`, with single spaces: how names and texts are compared."""
    return " ".join(fold(text).split())


def terms(text: str) -> list[str]:
    """The terms of a text in order, with repetitions."""
    return _split(text, _term)


def unstemmed(text: str) -> list[str]:
    """The words that a text's terms are the stems of: a stem costs a hundred times as much as its word."""
    folded = fold(text)
    if folded.isascii() and "'" not in folded:  # as nearly all are
        return [word[:MAX_TERM] for word in _ASCII_WORDS.findall(folded) if word not in STOP_WORDS]
    return _split(text, _word)


def matching(asked: Collection[str], said: Sequence[str]) -> list[str]:
    """The terms of words, unstemmed ones, that may be among those asked; empty texts in the place of all others."""
    beginnings = _beginnings(frozenset(asked))
    return [(_term(word) or "") if word[:2] in beginnings else "" for word in said]


@lru_cache(maxsize=8)
def _beginnings(asked: Collection[str]) -> frozenset[str]:
    """How words begin whose stems may be among these: as they do, but the stem of `dying` is `die`."""
    folded = {term[:2].replace("y", "i") for term in asked}
    return frozenset(
        "".join(letters) for term in folded for letters in product(*("iy" if c == "i" else c for c in term))
    )


def _split(text: str, of: Callable[[str], str | None]) -> list[str]:
    folded = fold(text)
    if folded.isascii():
        return [term for word in _ASCII_WORDS.findall(folded) if (term := of(word))]
    found: list[str] = []
    for word in _WORDS.findall(folded):
        if _STARTS_UNSPACED.match(word):
            found += [word[i : i + 2] for i in range(max(1, len(word) - 1))]
        elif term := of(word):
            found.append(term)
    return found


@lru_cache(maxsize=50_000)
def _term(word: str) -> str | None:
    """The stem of a folded word; None for a stop word."""
    given = _word(word)
    return given and _stem(given)


def _word(word: str) -> str | None:
    word = word.partition("'")[0]  # Anna's is Anna
    return None if word in STOP_WORDS else word[:MAX_TERM]
