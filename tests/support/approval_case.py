"""One approval on its way, and every use of it that a caller who is not entitled to it can think of.

It keeps count of what each call must answer, so a proof can throw thousands of calls at a server and name the first
that is answered otherwise.
"""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .approved import Charge, Replica, Tokens, code

Arguments = dict[str, Any]
NEW = frozenset({"approval_required", "too_many_approvals"})  # asking anew is allowed, to a limit; it is no effect
SPENT = frozenset({"approval_used", "refund_in_progress"})
REASON = "charged twice, café"


@dataclass
class Case:
    """A refund that needs an approval; `replicas` is shared with the other cases, and changes at a restart."""

    random: Random
    tokens: Tokens
    replicas: list[Replica]
    charge: Charge
    sibling: Charge
    """Another charge of the same customer."""
    foreign: Charge
    """A charge out of the clerk's scope."""
    said: Counter[str]
    number: int
    asked: set[str] = field(default_factory=set[str])
    """Other arguments that approvals were asked for: they hear of their own."""
    state: str = ""
    refunds: list[str] = field(default_factory=list[str])
    """What its approvals were used for."""
    spent: tuple[Arguments, str | None] | None = None
    """The key and tool-use id of the last one, if there was one or the other."""

    def __post_init__(self) -> None:
        self.run = f"run_{self.number}"
        self.clerk = self.tokens.worker(self.run, customer_id=self.charge.customer_id)
        self.ada = self.tokens.approver()
        amount = self.random.randrange(5_100, 9_000)  # some less is still above what goes without an approval
        self.arguments: Arguments = {
            "transaction_id": self.charge.transaction_id,
            "amount_minor": amount,
            "currency": "USD",
            "reason": REASON,
        }
        self.key = self.random.choice([{"idempotency_key": f"key-{self.number}"}, {}])
        self.tool_use_id = self.random.choice([f"toolu_{self.number}", None])
        self.approval_id = ""
        self._fresh = itertools.count()

    async def hears(
        self, expected: Collection[str], token: str, tool: str, arguments: Arguments, tool_use_id: str | None = None
    ) -> dict[str, Any]:
        """Call, on either server; the answer must be one of these codes."""
        if self.state == "racing" and "approval_required" in expected:
            expected = {*expected, "refund_in_progress"}  # the same amount of the same charge, as anybody may hear
        answer = await self.random.choice(self.replicas).call(token, tool, arguments, tool_use_id)
        self.said[code(answer)] += 1
        assert code(answer) in expected, (self.state, expected, tool, arguments, tool_use_id, answer)
        return answer

    async def use(self, expected: Collection[str], *, anew: bool = False) -> dict[str, Any]:
        """Exactly what was asked for; `anew` under another key, another tool-use id, both or none."""
        key, use = self.key, self.tool_use_id
        if anew:
            key = self.random.choice([{"idempotency_key": f"other-{next(self._fresh)}"}, {}, {"idempotency_key": None}])
            use = self.random.choice([f"toolu_other_{next(self._fresh)}", None])
        answer = await self.hears(expected, self.clerk, "issue_refund", {**self.arguments, **key}, use)
        if code(answer) == "ok" and answer["refund_id"] not in self.refunds:
            self.refunds.append(answer["refund_id"])
            self.spent = (key, use) if use or key.get("idempotency_key") else None
        return answer

    async def replay(self) -> None:
        """What was used once: by its own key it answers the same again, by any other nothing."""
        if self.spent:
            key, use = self.spent
            answer = await self.hears(["ok"], self.clerk, "issue_refund", {**self.arguments, **key}, use)
            assert answer["refund_id"] == self.refunds[-1]
        await asyncio.gather(*(self.use(SPENT, anew=True) for _ in range(3)))

    async def ask_again(self) -> bool:
        """For a second time, which is a second approval; false if too many others wait already."""
        key = {"idempotency_key": f"again-{self.number}"}
        inner = {"tool": "issue_refund", "arguments": {**self.arguments, **key}}
        answer = await self.hears(["ok", "too_many_approvals"], self.clerk, "request_approval", inner)
        if code(answer) != "ok":
            return False
        assert (answer["approval"]["state"], answer["approval"]["approval_id"] != self.approval_id) == ("pending", True)
        self.key, self.tool_use_id, self.spent = key, None, None
        self.approval_id, self.state = answer["approval"]["approval_id"], "pending"
        return True

    async def ask(self) -> None:
        """Ask for the approval, by the call itself or beforehand."""
        self.state = "asking"
        if self.random.random() < 0.5:
            answer = (await self.use(["approval_required"]))["details"]
        else:
            inner = {"tool": "issue_refund", "arguments": {**self.arguments, **self.key}}
            answer = (await self.hears(["ok"], self.clerk, "request_approval", inner))["approval"]
        self.approval_id, self.state = answer["approval_id"], "pending"

    async def decide(self, expected: Collection[str], decision: str = "approve", token: str = "") -> dict[str, Any]:
        chosen = {"approval_id": self.approval_id, "decision": decision}
        return await self.hears(expected, token or self.ada, "decide_approval", chosen)

    async def abuse(self) -> None:
        """Every other use, at once; none may change anything, whatever the approval's state is."""
        await asyncio.gather(
            *(self._mutated(arguments, expected) for arguments, expected in self._mutations()),
            *(self._by_others()),
            self._decided_wrongly(),
        )

    async def _mutated(self, arguments: Arguments, expected: frozenset[str]) -> None:
        if expected:
            await self.hears(expected, self.clerk, "issue_refund", arguments, f"toolu_{next(self._fresh)}")
            return
        as_asked = json.dumps(arguments, sort_keys=True)
        expected = NEW
        if as_asked in self.asked:
            expected = frozenset({"approval_required"})
        elif self.state == "approved":
            expected = frozenset({"approval_mismatch"})
        elif self.state == "racing":
            expected = NEW | {"approval_mismatch"}
        use: str | None = f"toolu_{next(self._fresh)}"
        if self.spent and self.random.random() < 0.5:
            key, use = self.spent
            arguments, expected = {**arguments, **key}, frozenset({"idempotency_mismatch"})
        answer = await self.hears(expected, self.clerk, "issue_refund", arguments, use)
        if code(answer) == "approval_required":
            assert answer["details"]["approval_id"] != self.approval_id
            self.asked.add(as_asked)

    def _mutations(self) -> Iterator[tuple[Arguments, frozenset[str]]]:
        """Arguments and the code they must meet; none where that depends on the state."""
        a, amount = self.arguments, self.arguments["amount_minor"]
        step = self.random.choice([1, 2, 99])
        yield {**a, "amount_minor": amount + step}, frozenset()
        yield {**a, "amount_minor": amount - step}, frozenset()
        yield {**a, "transaction_id": self.sibling.transaction_id}, frozenset()
        for reason in self.random.sample(REASONS, 3):
            yield {**a, "reason": reason}, frozenset()
        for name, value in self.random.sample(MALFORMED, 5):
            yield {**a, name: value(a.get(name))}, frozenset({"invalid_arguments"})
        missing = self.random.choice([*a])
        yield {name: said for name, said in a.items() if name != missing}, frozenset({"invalid_arguments"})
        yield {**a, "currency": "EUR"}, frozenset({"refund_refused"})
        yield {**a, "amount_minor": self.charge.amount_minor + 1}, frozenset({"refund_refused"})
        yield {**a, "transaction_id": self.foreign.transaction_id}, frozenset({"not_found"})
        yield {**a, "transaction_id": "ch_of_nobody"}, frozenset({"not_found"})

    def _by_others(self) -> Iterator[Any]:
        """Exactly the approved arguments and key, by everybody else."""
        customer, call = self.charge.customer_id, {**self.arguments, **self.key}
        a = self.arguments
        others: list[tuple[str, Collection[str]]] = [
            (self.tokens.worker(self.run, subject="colleague", customer_id=customer), NEW),
            (self.tokens.worker(f"{self.run}b", customer_id=customer), NEW),
            (self.tokens.worker("", customer_id=customer), NEW),
            (self.tokens.worker(self.run, customer_id=self.foreign.customer_id), ["not_found"]),
            (self.tokens.worker(self.run, amount_minor={"maximum": a["amount_minor"] - 1}), ["out_of_bounds"]),
            (self.tokens.worker(self.run, currency={"const": "EUR"}), ["out_of_bounds"]),
            (self.tokens.reader(self.run), ["unknown_tool"]),
            (self.ada, ["unknown_tool"]),
        ]
        for token, expected in self.random.sample(others, 4):
            yield self.hears(expected, token, "issue_refund", call, self.tool_use_id)

    async def _decided_wrongly(self) -> None:
        yes: Mapping[str, Any] = {"approval_id": self.approval_id, "decision": "approve"}
        await self.decide(["self_approval"], token=self.tokens.approver("refund-clerk"))
        await self.decide(["unknown_tool"], token=self.clerk)
        await self.hears(["not_found"], self.ada, "decide_approval", {**yes, "approval_id": f"apr_{'0' * 20}"})
        await self.hears(["invalid_arguments"], self.ada, "decide_approval", {**yes, "approval_id": "apr_1' OR '1"})
        if self.state != "pending":
            await self.decide(["approval_decided"], token=self.tokens.approver("grace"))
        if self.state in ("used", "rejected", "expired"):
            await self.decide(["approval_decided"], "reject")


REASONS = [
    *(REASON + tail for tail in (" ", "\n", "\u200b", ".", "\u0301")),
    *(head + REASON for head in (" ", "\ufeff", "\u202e")),
    REASON.replace(" ", "\u00a0"),
    REASON.replace(" ", "  ", 1),
    REASON.replace("c", "\u0441"),  # a Cyrillic letter that looks the same
    REASON.replace("é", "e\u0301"),  # the same to a person, and in NFC
    REASON.upper(),
    "a reason that nobody has seen",
]
MALFORMED: list[tuple[str, Callable[[Any], object]]] = [
    ("amount_minor", str),
    ("amount_minor", float),
    ("amount_minor", lambda amount: -amount),
    ("amount_minor", lambda _: 0),
    ("amount_minor", lambda _: True),
    ("amount_minor", lambda _: 10**30),
    ("currency", lambda _: "usd"),
    ("currency", lambda _: "USD "),
    ("currency", lambda _: None),
    ("transaction_id", lambda charge: f"{charge} "),
    ("transaction_id", lambda charge: [charge]),
    ("reason", lambda _: ""),
    ("reason", lambda reason: reason + "\0"),
    ("reason", lambda _: None),
    ("idempotency_key", lambda _: ""),
    ("idempotency_key", lambda _: 7),
    ("approved", lambda _: True),
    ("approval_id", lambda _: "apr_00000000000000000000"),
    ("tool_use_id", lambda _: "toolu_1"),
]
