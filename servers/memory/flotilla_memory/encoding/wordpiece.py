"""WordPiece: the tokens of BERT and its kin, lower case and without accents, as numbers."""

import json
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

MAX_WORD = 100  # characters; longer words are unknown, as BERT was taught
# Google's vocabulary of the uncased English BERT (Apache-2.0), which nearly all small English encoders share.
UNCASED = Path(__file__).parent / "bert-uncased.txt"


class WordPiece:
    """Text to token numbers, by a vocabulary."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._vocabulary = vocabulary
        self._unknown = vocabulary["[UNK]"]
        self._pieces = lru_cache(maxsize=20_000)(self._split)

    @classmethod
    def read(cls, file: Path) -> "WordPiece":
        """The tokenizer of a `vocab.txt`, or of a `tokenizer.json` of the type WordPiece.

        Raises:
            ValueError: the file holds something else.
        """
        said = file.read_text(encoding="utf-8")
        if file.suffix != ".json":
            return cls({token: number for number, token in enumerate(said.splitlines())})
        model: Any = json.loads(said).get("model")
        if not isinstance(model, dict) or model.get("type") != "WordPiece":  # pyright: ignore[reportUnknownMemberType]  # from JSON
            raise ValueError(f"{file} is no WordPiece tokenizer")
        return cls(model["vocab"])  # pyright: ignore[reportUnknownArgumentType]  # from JSON

    def tokens(self, text: str, most: int) -> list[int]:
        """The tokens between a start and an end mark, at most so many together."""
        found = [piece for word in _words(text) for piece in self._pieces(word)]
        return [self._vocabulary["[CLS]"], *found[: most - 2], self._vocabulary["[SEP]"]]

    def _split(self, word: str) -> list[int]:
        """The longest pieces that the vocabulary has, from the left."""
        found: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                if (number := self._vocabulary.get(prefix + word[start:end])) is not None:
                    break
            else:
                return [self._unknown]
            found.append(number)
            start = end
        return found if len(word) <= MAX_WORD else [self._unknown]


def _words(text: str) -> list[str]:
    """Words; every punctuation mark and every Chinese character is one of its own."""
    decomposed = unicodedata.normalize("NFD", text.lower())
    return "".join(_spaced(character) for character in decomposed).split()


@lru_cache(maxsize=10_000)
def _spaced(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Mn" or character == "\ufffd" or (category.startswith("C") and character not in "\t\n\r"):
        return ""
    if category.startswith("P") or (character.isascii() and category.startswith("S")) or _is_chinese(character):
        return f" {character} "
    return character


def _is_chinese(character: str) -> bool:
    code = ord(character)
    return 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x2FA1F
