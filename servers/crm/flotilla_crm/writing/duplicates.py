"""Contacts that may be one person: by the same e-mail address, the same phone, or a similar name at one domain."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from sqlalchemy import Connection, func, or_, select

from ..access import Access
from ..schema import contacts
from ..values import email_domain, email_key
from ..words import fold

c = contacts.c
SIMILAR = 0.85  # of two names, by the share of characters that they have in common
MOST_COMPARED = 500  # contacts of a domain that a new one is compared with
PUBLIC_DOMAINS = frozenset(
    {
        *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com", "icloud.com", "me.com"),
        *("aol.com", "gmx.de", "gmx.net", "web.de", "proton.me", "protonmail.com", "mail.com", "qq.com", "163.com"),
    }
)
"""Of which everybody can have an address: the same one says nothing of two people."""
Person = Mapping[str, Any]


@dataclass(frozen=True)
class Similar:
    """Two contacts and what they have in common: `same_email`, `same_phone`, `similar_name`."""

    first: Person
    second: Person
    reasons: tuple[str, ...]


def full_name(person: Person) -> str:
    """First and last name, folded."""
    return fold(f"{person.get('first_name') or ''} {person.get('last_name') or ''}")


def reasons(one: Person, other: Person) -> tuple[str, ...]:
    """What two contacts have in common; empty if nothing says that they are one."""
    found: list[str] = []
    if one.get("email") and other.get("email") and email_key(one["email"]) == email_key(other["email"]):
        found.append("same_email")
    if one.get("phone") and one["phone"] == other.get("phone"):
        found.append("same_phone")
    domains = {_domain(one), _domain(other)}
    if len(domains) == 1 and not domains & {None, *PUBLIC_DOMAINS} and similar(full_name(one), full_name(other)):
        found.append("similar_name")
    return tuple(found)


def similar(one: str, other: str) -> bool:
    """Whether two folded names may be one person's."""
    if not one or not other:
        return False
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.real_quick_ratio() >= SIMILAR and matcher.quick_ratio() >= SIMILAR and matcher.ratio() >= SIMILAR


def with_email(conn: Connection, access: Access, address: str, but: str = "") -> str | None:
    """The contact of the caller's who has that address, other than `but`."""
    found = select(c.contact_id, c.account_id).where(c.email_key == email_key(address), c.contact_id != but)
    for row in conn.execute(found.order_by(c.contact_id)):
        if access.sees(row.account_id):
            return str(row.contact_id)
    return None


def lock_email(conn: Connection, address: str) -> None:
    """Let nobody else give a contact that address until this transaction ends."""
    if conn.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        conn.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"crm/{email_key(address)}", 0))))


def like(conn: Connection, access: Access, person: Person, but: str = "") -> list[Similar]:
    """Contacts of the caller's that may be this person, the surest first."""
    wanted = [c.phone == person["phone"]] if person.get("phone") else []
    if (domain := _domain(person)) and domain not in PUBLIC_DOMAINS:
        wanted.append((c.email_domain == domain) & (c.account_id == person.get("account_id")))
    if not wanted:
        return []
    found = select(contacts).where(or_(*wanted), c.merged_into.is_(None), c.contact_id != but).limit(MOST_COMPARED)
    others = [dict(row) for row in conn.execute(found.order_by(c.contact_id)).mappings()]
    seen = [other for other in others if access.sees(other["account_id"])]
    pairs = [Similar(person, other, why) for other in seen if (why := reasons(person, other))]
    return sorted(pairs, key=lambda pair: (-len(pair.reasons), pair.second["contact_id"]))


def pairs(people: Sequence[Person]) -> Iterator[Similar]:
    """Pairs among the contacts of one account, by key, and by names that begin alike."""
    groups: dict[tuple[str, str], list[Person]] = {}
    for person in people:
        name, domain = full_name(person), _domain(person)
        named = "" if domain is None or domain in PUBLIC_DOMAINS else name[:2]
        for key in (
            ("email", email_key(person["email"]) if person.get("email") else ""),
            ("phone", person.get("phone") or ""),
            ("first", named and f"{domain} {named}"),
            ("last", named and f"{domain} {fold(person.get('last_name') or '')[:2]}"),
        ):
            if key[1]:
                groups.setdefault(key, []).append(person)
    told: set[tuple[str, str]] = set()
    for group in groups.values():
        for position, one in enumerate(group):
            for other in group[position + 1 :]:
                ids = (str(one["contact_id"]), str(other["contact_id"]))
                if ids not in told and (why := reasons(one, other)):
                    told.add(ids)
                    yield Similar(one, other, why)


def _domain(person: Person) -> str | None:
    address = person.get("email")
    return email_domain(address) if address else None
