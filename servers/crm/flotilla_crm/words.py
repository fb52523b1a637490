"""Words of names, folded: how names are compared and searched, in any script."""

import re
import unicodedata

MAX_WORD = 40  # characters of a word that are searched
_WORDS = re.compile(r"\w+")


def fold(text: str) -> str:
    """Lower case, without accents and other marks, compatibility forms as what they stand for, single spaces."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.casefold())
        text = unicodedata.normalize("NFC", "".join(c for c in text if not unicodedata.combining(c)))
    return " ".join(text.lower().split())


def words_of(*texts: str | None) -> set[str]:
    """The folded words of texts."""
    return {word[:MAX_WORD] for text in texts if text for word in _WORDS.findall(fold(text))}


def after(prefix: str) -> str:
    """A text that sorts after every text that begins with `prefix`, by code points."""
    return prefix + "\U0010ffff"
