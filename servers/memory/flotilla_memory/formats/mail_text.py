"""The text that is new in an e-mail: without tags, quoted replies and signatures. Pure."""

import re
from html import unescape

# Not html.parser: what that does with broken pages takes a time that grows with the square of their length.
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20}|[!?])([^<>]{0,4000})>")
_QUOTES = ("gmail_quote", "moz-cite-prefix")  # classes of what mail programs quote
_NOT_TEXT = {"script", "style", "head", "title", "template"}
_BREAKS = {"p", "div", "br", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "pre"}
_NEVER_CLOSED = {"br", "hr", "img", "meta", "link", "input", "base", "col", "area", "wbr", "source"}
_LONGEST_LINE = 1000  # characters of a line that is looked at as a line above a reply
# How mail programs announce what is quoted below, in the languages of most of them.
_WROTE = re.compile(
    r"(On\b.{5,300}\bwrote|Am\b.{5,300}\bschrieb\b.{0,100}|Le\b.{5,300}\ba écrit|El\b.{5,300}\bescribió|"
    r"Il\b.{5,300}\bha scritto|Op\b.{5,300}\bschreef\b.{0,100}|Em\b.{5,300}\bescreveu)\s?:\s*"
)
_ORIGINAL = re.compile(
    r"\s*-{2,}\s*(Original Message|Ursprüngliche Nachricht|Message d'origine|Mensaje original)\s*-{2,}\s*", re.I
)
_OUTLOOK = re.compile(r"\*?(From|Von|De):\*?\s\S.{0,300}")
_OUTLOOK_NEXT = re.compile(r"\*?(Sent|Date|Gesendet|Datum|Envoyé|Enviado|To|An|À|Para|Subject|Betreff|Objet):\*?\s?.*")


def new_part(text: str) -> str:
    """A message's text without what it quotes and its signature; all of it where nothing else would be left."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = list[str]()
    for number, line in enumerate(lines):
        if line in ("-- ", "--") or _is_original(lines, number):
            break
        if line.lstrip().startswith(">") or _announces(lines, number):
            continue
        kept.append(line)
    said = "\n".join(kept).strip()
    return said or text.strip()


def from_html(html: str) -> str:
    """The text of an HTML message, without what it quotes; all of it where nothing else would be left."""
    page, at = _Page(), 0
    html = _without_comments(html)
    for tag in _TAG.finditer(html):
        page.say(unescape(html[at : tag.start()]))
        page.tag(tag[2].lower(), tag[3], ends=bool(tag[1]))
        at = tag.end()
    page.say(unescape(html[at:]))
    return _tidy("".join(page.text)) or _tidy("".join(page.quoted))


def _without_comments(html: str) -> str:
    kept, at = list[str](), 0
    while (start := html.find("<!--", at)) != -1 and (end := html.find("-->", start + 4)) != -1:
        kept.append(html[at:start])
        at = end + 3
    return "".join([*kept, html[at:]])


def _is_original(lines: list[str], number: int) -> bool:
    """Whether all below is the message that is answered."""
    line = lines[number][:_LONGEST_LINE]
    if _ORIGINAL.fullmatch(line):
        return True
    below = [next_.strip()[:_LONGEST_LINE] for next_ in lines[number + 1 : number + 4]]
    return (
        _OUTLOOK.fullmatch(line) is not None and sum(_OUTLOOK_NEXT.fullmatch(next_) is not None for next_ in below) > 1
    )


def _announces(lines: list[str], number: int) -> bool:
    """Whether a line, perhaps with the next one, stands above a quoted reply."""
    first = lines[number].strip()[:_LONGEST_LINE]
    second = lines[number + 1].strip()[:_LONGEST_LINE] if number + 1 < len(lines) else ""
    before = lines[number - 1].strip()[:_LONGEST_LINE] if number else ""
    quoted = any(line.lstrip().startswith(">") for line in lines[number + 1 : number + 5])
    return quoted and any(_WROTE.fullmatch(said) for said in (first, f"{first} {second}", f"{before} {first}"))


class _Page:
    """Gathers the text of a page, what is quoted by itself."""

    def __init__(self) -> None:
        self.text, self.quoted = list[str](), list[str]()
        self._hidden, self._quote = 0, 0
        self._open = list[tuple[str, bool]]()  # tags inside of a quote, and whether each began one

    def tag(self, name: str, attributes: str, *, ends: bool) -> None:
        """A tag begins or ends here."""
        if name in _NOT_TEXT:
            self._hidden = max(0, self._hidden + (-1 if ends else 1))
        if ends and self._open and self._open[-1][0] == name:
            self._quote -= self._open.pop()[1]
        begins = not ends and (name == "blockquote" or any(mark in attributes for mark in _QUOTES))
        if (begins or self._quote) and not ends and name not in _NEVER_CLOSED and not attributes.endswith("/"):
            self._open.append((name, begins))
            self._quote += begins
        if name in _BREAKS:
            self.say("\n")

    def say(self, text: str) -> None:
        """Text stands here."""
        if not self._hidden:
            (self.quoted if self._quote else self.text).append(text)


def _tidy(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.split("\n")]
    kept = [line for number, line in enumerate(lines) if line or (number and lines[number - 1])]
    return "\n".join(kept).strip()
