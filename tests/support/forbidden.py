"""Calls that a mandate forbids, drawn at random: what a hostile model, or whoever holds its token, would try."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from flotilla_kit.paging import encode_cursor
from flotilla_kit.testing.values import not_quite, odd_names, wide

from .mandated import ALLOWED, FORBIDDEN, OURS, THEIRS

CHARGE = "ch_maya_feb_2"
Arguments = dict[str, Any]


@dataclass(frozen=True)
class Call:
    kind: str
    name: str
    """Of the tool or the prompt; the URI of a resource."""
    arguments: Arguments = field(default_factory=dict[str, Any])
    may_answer: bool = False
    """It asks for other people's records in a way that is not refused: the answer has none of them."""
    method: str = "tools/call"

    @property
    def said(self) -> str:
        return f"{self.name} {json.dumps(self.arguments, ensure_ascii=False)}"


def granted(tool: str, **bounds: Any) -> dict[str, Any]:
    return {"type": "mcp_tool", "tool": tool, **({"arguments": {"properties": bounds}} if bounds else {})}


BILLING = (
    *(granted(name) for name in ("get_customer_billing", "get_transaction", "get_invoice", "get_refund")),
    *(granted(name) for name in ("check_refund_eligibility", "check_payment_gateway", "request_approval")),
    # Named, and still not for workers:
    *(granted(name) for name in ("get_approval", "list_approvals", "decide_approval")),
    granted("find_transactions", limit={"maximum": 5}),
    granted(
        "issue_refund", transaction_id={"const": CHARGE}, amount_minor={"maximum": 4000}, currency={"const": "USD"}
    ),
)
MEMORY = (
    granted("search_knowledge", query={"enum": ["refund"]}, limit={"maximum": 3}),
    granted("get_document", document_id={"pattern": "^policies/"}),
    {"type": "mcp_resource", "uri": "knowledge://policies/*"},
)
HIDDEN = {
    "billing": ("list_invoices", "find_duplicate_charges", "decide_approval", "list_approvals"),
    "memory": ("decide_approval", "request_approval"),
}
ELSEWHERE = ("remember", "issue_refund_all", "delete_customer", "exec", "resources/read", "get_refunds", "tools/list")


def not_at_most(most: int) -> list[Any]:
    """Values that are not whole numbers from 1 to `most`."""
    numbers = [most + 1, most * 10, 2**31, 2**53, 2**63, 10**30, 0, -1, -most, most + 0.5, 0.5, 1e300]
    return [*numbers, "1", "9999", "1e1", "٤", "0x1", "1 ", None, True, [1], {"maximum": 9}, "", "NaN"]


EXTRA: list[Arguments] = [
    {"scope": {"customer_id": THEIRS}},
    {"principal": "owner"},
    {"approved": True},
    {"approval_id": "apr_" + "0" * 20},
    {"customerId": THEIRS},
    {"amountMinor": 1},
    {"_meta": {"scope": {}}},
    {"": None},
    {"__class__": "x"},
    {"ctx": None},
    {"x" * 3000: 1},
    {"\uff43ustomer_id": OURS},
]


def broken(random: Random, tool: str, given: Arguments, wrong: Arguments, others: Sequence[Any] = ()) -> Call:
    """A call of a granted tool whose arguments would do, but for one that leaves its bound."""
    kind, arguments = random.choice(("value", "value", "value", "absent", "extra")), dict(given)
    name = random.choice(list(wrong))
    if kind == "value":
        arguments[name] = random.choice([*wrong[name], *others])
    elif kind == "absent":
        del arguments[name]
    else:
        arguments |= random.choice(EXTRA)
    return Call(f"bound_{kind}", tool, arguments)


@dataclass(frozen=True)
class Theirs:
    """What a billing worker may not reach: ids of another customer, and a cursor of a page of theirs."""

    charges: Sequence[str]
    invoices: Sequence[str]
    refund_id: str
    approval_id: str
    cursor: str


def billing_calls(theirs: Theirs) -> Callable[[Random], Call]:
    """Draws one that `BILLING` with the scope of our customer forbids."""
    key = {"idempotency_key": "k"}
    refund = {"transaction_id": CHARGE, "amount_minor": 100, "currency": "USD", "reason": "duplicate", **key}
    wrong_refund = {
        "transaction_id": [*not_quite(CHARGE, THEIRS), *theirs.charges, "ch_maya_feb_1"],
        "amount_minor": not_at_most(4000),
        "currency": [*not_quite("USD", THEIRS), "EUR", "JPY"],
    }
    find = {"customer_id": OURS, "limit": 5}
    wrong_find = {"customer_id": [*not_quite(OURS, THEIRS), THEIRS], "limit": not_at_most(5)}
    decision = {"approval_id": theirs.approval_id, "decision": "approve"}

    def draw(random: Random) -> Call:
        charge, invoice = random.choice(theirs.charges), random.choice(theirs.invoices)
        match random.choice(("hidden", "refund", "refund", "find", "customer", "id", "search", "ask", "odd", "read")):
            case "hidden":
                tool = random.choice([*HIDDEN["billing"], *ELSEWHERE])
                return Call("hidden", tool, random.choice([decision, {"customer_id": OURS}, {}, {"state": None}]))
            case "refund":
                return broken(random, "issue_refund", refund, wrong_refund)
            case "find":
                return broken(random, "find_transactions", find, wrong_find)
            case "customer":
                wrong = {"customer_id": wrong_find["customer_id"]}
                return broken(random, "get_customer_billing", {"customer_id": OURS}, wrong)
            case "id":
                tool, arguments = random.choice(
                    [
                        ("get_transaction", {"transaction_id": charge}),
                        ("get_invoice", {"invoice_id": invoice}),
                        ("get_refund", {"refund_id": theirs.refund_id}),
                        ("check_refund_eligibility", {"transaction_id": charge, "amount_minor": 1}),
                        ("issue_refund", {**refund, "transaction_id": charge}),
                        ("get_approval", {"approval_id": theirs.approval_id}),
                        ("get_customer_billing", {"customer_id": THEIRS}),
                    ]
                )
                return Call("id", tool, arguments)
            case "search":
                forged = random.choice([theirs.cursor, encode_cursor("9999", "zzz"), encode_cursor(2**53), "x", "=="])
                arguments = random.choice([{"cursor": forged}, {"invoice_id": invoice}, {"amount_minor": 7391841}])
                quoted = {"customer_id": OURS, "date": "Feb 3 2026", "amount": f"73918.4{random.randint(1, 4)} USD"}
                if random.random() < 0.4:
                    return Call("search", "check_payment_gateway", quoted, may_answer=True)
                return Call("search", "find_transactions", {**find, **arguments}, may_answer=True)
            case "ask":
                inner = random.choice(
                    [
                        broken(random, "issue_refund", refund, wrong_refund),
                        Call("", "issue_refund", {**refund, "transaction_id": charge}),
                        Call("", "decide_approval", decision),
                        Call("", "request_approval", {"tool": "issue_refund", "arguments": refund}),
                        Call("", "get_transaction", {"transaction_id": charge}),
                        Call("", random.choice(odd_names("issue_refund", "billing")), refund),
                    ]
                )
                return Call("ask", "request_approval", {"tool": inner.name, "arguments": inner.arguments})
            case "odd":
                return Call(
                    "odd_name",
                    random.choice(odd_names(random.choice(("issue_refund", "get_refund")), "billing")),
                    refund,
                )
            case _:
                return unreadable(random)

    return draw


def memory_calls(random: Random) -> Call:
    """Draws one that `MEMORY` forbids."""
    search, wrong_query = (
        {"query": "refund", "limit": 3},
        [*not_quite("refund", THEIRS), "quillfeather", "refund OR owes"],
    )
    wrong_document = [value for value in not_quite(ALLOWED, THEIRS) if not isinstance(value, str)] + [
        *(FORBIDDEN, f"{FORBIDDEN}.md", f"policies/../{FORBIDDEN}", f"/{ALLOWED}", f"./{ALLOWED}", f" {ALLOWED}"),
        *("Policies/refunds", wide(ALLOWED), "policies\\refunds", "..", "", "/etc/passwd", "file:///etc/passwd"),
        *(f"policies/%2e%2e/{FORBIDDEN}", "policies/", f"{ALLOWED}\u0000", f"{ALLOWED}.md", f"{ALLOWED} ", "p" * 5000),
    ]
    match random.choice(("hidden", "query", "document", "document", "page", "odd", "read", "read")):
        case "hidden":
            return Call("hidden", random.choice([*HIDDEN["memory"], *ELSEWHERE]), {"query": "refund"})
        case "query":
            return broken(random, "search_knowledge", search, {"query": wrong_query, "limit": not_at_most(3)})
        case "document":
            return broken(random, "get_document", {"document_id": ALLOWED}, {"document_id": wrong_document})
        case "page":
            cursor = random.choice([encode_cursor(1, 1), encode_cursor(1, 2**53), encode_cursor(-1, -1), "x", "=="])
            return Call("page", "search_knowledge", {**search, "cursor": cursor}, may_answer=True)
        case "odd":
            return Call("odd_name", random.choice(odd_names(random.choice(("get_document", "search")))), search)
        case _:
            return unreadable(random)


def unreadable(random: Random) -> Call:
    """A resource or a prompt that is not granted."""
    if random.random() < 0.3:
        return Call("prompt", random.choice(["summary", "", "x" * 500, "../x", "💸"]), method="prompts/get")
    path = random.choice([FORBIDDEN, f"policies/../{FORBIDDEN}", f"policies/%2e%2e/{FORBIDDEN}", "policies", "*", ""])
    scheme = random.choice(["knowledge", "KNOWLEDGE", "file", "ui"])
    return Call("resource", f"{scheme}://{path}", method="resources/read")
