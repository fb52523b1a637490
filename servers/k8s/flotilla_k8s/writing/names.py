"""Names that Kubernetes allows: DNS-1123 labels and subdomains, label keys and values."""

import re
import unicodedata

from .refusals import InvalidName

LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
PATH_SEGMENT = re.compile(r"(?!\.{1,2}$)[^/%\x00-\x1f\x7f]+")
"""What names of roles and their bindings are, such as `system:node`."""
_KEY = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
SHORTEST, LONGEST, LONGEST_SUBDOMAIN = 3, 63, 253
_LABELLED_KINDS = frozenset({("", "Namespace"), ("", "Service")})
_RBAC = "rbac.authorization.k8s.io"


def namespace(text: str) -> str:
    """The text, which is a good name for a namespace: a DNS-1123 label of 3 to 63 characters.

    Raises:
        InvalidName: it is not; one that is may be suggested.
    """
    if LABEL.fullmatch(text) and len(text) >= SHORTEST:
        return text
    suggested = suggestion(text)
    raise InvalidName(
        f"A namespace's name has {SHORTEST} to {LONGEST} characters: lower-case letters, digits and -, "
        "and begins and ends with a letter or digit.",
        suggestion=f"Take {suggested}, or another such name." if suggested else "Take another name.",
        details={"suggested": suggested} if suggested else {},
    )


def suggestion(text: str) -> str:
    """A valid name for a namespace that is like the text; empty if nothing of it is left."""
    plain = unicodedata.normalize("NFKD", text[:1000]).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST].strip("-")
    return "" if not name else name if len(name) >= SHORTEST else f"team-{name}"


def is_name(group: str, kind: str, name: str) -> bool:
    """Whether an object of that kind may have the name."""
    if group == _RBAC:
        return len(name) <= LONGEST_SUBDOMAIN and bool(PATH_SEGMENT.fullmatch(name))
    if (group, kind) in _LABELLED_KINDS:
        return bool(LABEL.fullmatch(name))
    return len(name) <= LONGEST_SUBDOMAIN and bool(SUBDOMAIN.fullmatch(name))


def is_label_key(key: str) -> bool:
    """Whether it may be the key of a label or an annotation: `name` or `prefix.example/name`."""
    prefix, slash, name = key.rpartition("/")
    good_prefix = len(prefix) <= LONGEST_SUBDOMAIN and bool(SUBDOMAIN.fullmatch(prefix)) if slash else True
    return good_prefix and bool(_KEY.fullmatch(name))


def is_label_value(text: str) -> bool:
    return bool(_VALUE.fullmatch(text))
