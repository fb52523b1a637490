"""The kit's own suite finds what is weak: a sound shop passes all of it, a weak one fails at the rule meant for it."""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from flotilla_kit.approvals import requests
from flotilla_kit.cli import ServerSpec
from flotilla_kit.effects import Effect
from flotilla_kit.guard import middleware, refusals
from flotilla_kit.guard.call import Call
from flotilla_kit.guard.trail import Trail
from flotilla_kit.guard.visibility import may_call
from flotilla_kit.identity.mandate import Breach, Grant
from flotilla_kit.identity.principal import Principal
from flotilla_kit.testing import Guarantees, Read, broken_rules
from flotilla_kit.testing.rule import Rule
from flotilla_kit.testing.rules import RULES
from pytest import FixtureRequest, MonkeyPatch, mark
from sqlalchemy import select
from support import weak_shops
from support.shop import SAMPLES, shop
from support.weak_shops import spec

Weaken = Callable[[MonkeyPatch], None]


class TestShop(Guarantees):
    """The sound twin of all that follow."""

    server = shop()


@mark.xdist_group("of one process")
def test_tests_of_one_group_run_in_one_process(request: FixtureRequest) -> None:
    """The suite starts a server for each process that has some of its tests."""
    assert request.node.nodeid.endswith("@of one process") or not request.config.getoption("loadgroup", False)


def rules(*names: str) -> list[Rule]:
    chosen = [rule for rule in RULES if rule.name in names]
    assert len(chosen) == len(names)
    return chosen


@mark.parametrize(
    ("weak", "rule"),
    [
        (spec(weak_shops.IgnoresScope), "records_out_of_scope_do_not_exist"),
        (spec(weak_shops.NamesTheOther), "records_out_of_scope_do_not_exist"),
        (spec(weak_shops.RepeatsRows), "pages_return_each_row_once"),
        (spec(weak_shops.PaysFirst), "a_change_killed_anywhere_happens_once_when_repeated"),
        (spec(weak_shops.ForgetsKeys), "a_repeat_answers_the_same_and_does_nothing"),
        (spec(weak_shops.Notes), "a_read_answers_and_changes_nothing"),
        (spec(create=weak_shops.forgets_to_be_read_only), "a_read_only_server_offers_no_change"),
        (spec(create=weak_shops.without_annotations), "tools_say_all_four_annotations"),
        (spec(create=weak_shops.without_annotations), "every_tool_has_a_sample"),
        (spec(create=weak_shops.too_many_bytes), "the_tools_fit_their_byte_budget"),
        (spec(create=weak_shops.named_oddly), "tools_are_named_and_described"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_weak_server_fails_at_its_rule(weak: ServerSpec, rule: str, tmp_path: Path) -> None:
    assert set(broken_rules(shop(weak), tmp_path, rules(rule))) == {rule}


def listed_but_hidden(patch: MonkeyPatch) -> None:
    """Hides tools in lists and not in calls."""

    def all_but_decisions(principal: Principal, tool: str) -> bool:
        return may_call(principal, tool) or tool in ("get_order", "list_orders", "pay_back")

    patch.setattr(middleware, "may_call", all_but_decisions)


def bounds_before_defaults(patch: MonkeyPatch) -> None:
    """Checks bounds on what was sent, before defaults are filled in."""
    sent: ContextVar[set[str]] = ContextVar("sent")

    def note(arguments: Mapping[str, Any]) -> None:
        sent.set(set(arguments))

    breach = Grant.breach

    def early(self: Grant, arguments: Mapping[str, Any]) -> Breach | None:
        bounds = tuple(
            {"properties": {name: bound for name, bound in each.get("properties", {}).items() if name in sent.get()}}
            for each in self.bounds
        )
        return breach(Grant(self.tool, bounds, self.approval_required), arguments)

    patch.setattr(middleware, "require_json", note)
    patch.setattr(Grant, "breach", early)


def approves_any_arguments(patch: MonkeyPatch) -> None:
    of = requests._of  # pyright: ignore[reportPrivateUsage]  # weakened on purpose, as all here

    def without_digest(effect: Effect) -> Sequence[Any]:
        return of(effect)[:-1]

    patch.setattr(requests, "_of", without_digest)


def approves_for_anybody(patch: MonkeyPatch) -> None:
    of = requests._of  # pyright: ignore[reportPrivateUsage]

    def without_requester(effect: Effect) -> Sequence[Any]:
        return (of(effect)[0], *of(effect)[3:])

    patch.setattr(requests, "_of", without_requester)


def approves_forever(patch: MonkeyPatch) -> None:
    """Does not use an approval up."""
    of = requests._of  # pyright: ignore[reportPrivateUsage]

    def use(connection: Any, effect: Any) -> str:
        approved = select(requests.a.approval_id).where(*of(effect), requests.a.state == "approved")
        return connection.execute(approved).scalar() or ""

    patch.setattr(requests, "_use", use)


def lets_askers_decide(patch: MonkeyPatch) -> None:
    decide = requests.decide

    def anybody(connection: Any, server: str, approval_id: str, approver: Any, *said: Any) -> Any:
        class Disguised:
            kind, subject = "approver", f"not {approver.subject}"

        return decide(connection, server, approval_id, Disguised(), *said)  # pyright: ignore[reportArgumentType]

    patch.setattr("flotilla_kit.approvals.decide", anybody)


def explains_itself(patch: MonkeyPatch) -> None:
    """Tells callers what broke, and where."""

    def explained(error: Exception) -> list[dict[str, str]]:
        return [{"argument": "any", "problem": f'File "{__file__}": {error}'}]

    patch.setattr(refusals, "_problems", explained)


def forgets_refusals(patch: MonkeyPatch) -> None:
    end = Trail.end

    def forget(self: Trail, call: Call, given: Any) -> None:
        if call.record.outcome == "ok":
            end(self, call, given)

    patch.setattr(Trail, "end", forget)


@mark.parametrize(
    ("weaken", "rule"),
    [
        (listed_but_hidden, "a_hidden_tool_answers_like_an_absent_one"),
        (bounds_before_defaults, "bounds_hold_for_defaults"),
        (approves_any_arguments, "an_approval_is_of_exactly_those_arguments"),
        (approves_for_anybody, "nobody_else_can_use_an_approval"),
        (approves_forever, "an_approval_is_good_once"),
        (lets_askers_decide, "who_asks_does_not_decide"),
        (explains_itself, "bad_input_is_an_error_as_data_and_has_no_effect"),
        (forgets_refusals, "every_call_leaves_one_record"),
    ],
)
def test_a_weak_guard_fails_at_its_rule(weaken: Weaken, rule: str, tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    weaken(monkeypatch)
    assert set(broken_rules(shop(), tmp_path, rules(rule))) == {rule}


def test_a_change_of_what_the_model_sees_shows_in_the_snapshot(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    chosen, seen = rules("what_the_model_sees_is_in_the_snapshot"), tmp_path / "tools.json"
    server = shop(snapshot=seen)
    monkeypatch.delenv("FLOTILLA_SNAPSHOTS", raising=False)
    assert '+    "name": "get_order"' in broken_rules(server, tmp_path / "a", chosen)[chosen[0].name]
    monkeypatch.setenv("FLOTILLA_SNAPSHOTS", "write")
    assert broken_rules(server, tmp_path / "b", chosen) == {}
    monkeypatch.delenv("FLOTILLA_SNAPSHOTS")
    assert broken_rules(server, tmp_path / "c", chosen) == {}
    seen.write_text(seen.read_text().replace("One order.", "An order."))
    assert '-    "description": "An order."' in broken_rules(server, tmp_path / "d", chosen)[chosen[0].name]


def test_a_sample_that_does_not_work_is_found(tmp_path: Path) -> None:
    wrong = [Read("get_order", {"order_id": "ord_nobody"}), *SAMPLES[1:]]
    chosen = rules("a_read_answers_and_changes_nothing")
    assert set(broken_rules(shop(samples=wrong), tmp_path, chosen)) == {chosen[0].name}
