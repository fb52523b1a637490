"""Properties of the pure rules: money, duplicates, quoted dates and amounts."""

from datetime import UTC, date, datetime, timedelta
from itertools import combinations

from flotilla_billing.duplicates import find_duplicates
from flotilla_billing.models import PaymentMethod, Transaction
from flotilla_billing.quoted import read_amount, read_date
from flotilla_billing.refunds import add_business_days, eligibility
from flotilla_kit import money
from flotilla_kit.errors import InvalidArguments
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import mark, raises

START = datetime(2026, 2, 3, 9, tzinfo=UTC)
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD", "EUR"])


CHARGE = Transaction(
    transaction_id="ch_1",
    customer_id="cust_1",
    customer_name=None,
    created_at=START.isoformat(),
    amount="49.00 USD",
    amount_minor=4900,
    currency="USD",
    status="succeeded",
    captured_minor=4900,
    refunded_minor=0,
    reserved_minor=0,
    description="plan",
    invoice_id=None,
    method=PaymentMethod(kind="card", last4="4242"),
    card_id=None,
    failure_reason=None,
    dispute_status=None,
    settled_on=None,
    settlement_estimated=False,
)


@st.composite
def charges(draw: st.DrawFn) -> Transaction:
    amount = draw(st.sampled_from([1200, 4900]))
    seconds = draw(st.integers(0, 900) | st.integers(0, 400_000))
    return CHARGE.model_copy(
        update={
            "transaction_id": f"ch_{draw(st.integers(0, 10**6))}",
            "created_at": (START + timedelta(seconds=seconds)).isoformat(),
            "amount_minor": amount,
            "captured_minor": amount,
            "refunded_minor": draw(st.sampled_from([0, 0, 100])),
            "currency": draw(st.sampled_from(["USD", "EUR"])),
            "status": draw(st.sampled_from(["succeeded", "succeeded", "failed"])),
            "description": draw(st.sampled_from([None, "plan", "seat"])),
            "invoice_id": draw(st.sampled_from([None, "in_1", "in_2"])),
            "method": PaymentMethod(kind="card", last4=draw(st.sampled_from([None, "4242", "1111"]))),
        }
    )


some_charges = st.lists(charges(), max_size=8, unique_by=lambda charge: charge.transaction_id)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(some_charges.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_duplicates_do_not_depend_on_the_order_of_charges(
    orders: tuple[list[Transaction], list[Transaction]],
) -> None:
    first, second = orders
    assert find_duplicates(first, 3) == find_duplicates(second, 3)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(some_charges)
def test_each_surplus_charge_is_named_with_its_likeliest_original(found: list[Transaction]) -> None:
    likelihood = ["low", "medium", "high"]
    best: dict[str, int] = {}
    for first, second in combinations(found, 2):
        for pair in find_duplicates([first, second], 3):
            rank = likelihood.index(pair.confidence)
            best[pair.duplicate_transaction_id] = max(rank, best.get(pair.duplicate_transaction_id, 0))
    together = find_duplicates(found, 3)
    assert {pair.duplicate_transaction_id: likelihood.index(pair.confidence) for pair in together} == best


@settings(deadline=None, derandomize=True, max_examples=150)
@given(some_charges)
def test_a_pair_is_never_linked_by_amount_alone(found: list[Transaction]) -> None:
    known = {charge.transaction_id: charge for charge in found}
    surplus = [pair.duplicate_transaction_id for pair in find_duplicates(found, 3)]
    assert len(surplus) == len(set(surplus))
    for pair in find_duplicates(found, 3):
        first, second = known[pair.original_transaction_id], known[pair.duplicate_transaction_id]
        assert (first.created_at, first.transaction_id) < (second.created_at, second.transaction_id)
        assert first.currency == second.currency and first.status == second.status == "succeeded"
        assert len(pair.evidence) >= 2
        if pair.confidence == "high":
            assert first.invoice_id == second.invoice_id is not None


@mark.parametrize(("invoice_id", "named"), [("in_1", ["ch_2"]), (None, [])])
def test_one_invoice_charged_twice_is_found_however_late(invoice_id: str | None, named: list[str]) -> None:
    first = CHARGE.model_copy(update={"invoice_id": invoice_id})
    late = (START + timedelta(days=40)).isoformat()
    second = first.model_copy(update={"transaction_id": "ch_2", "created_at": late})
    assert [pair.duplicate_transaction_id for pair in find_duplicates([first, second], 3)] == named


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 10**11), CURRENCIES)
def test_money_survives_text(amount: int, currency: str) -> None:
    text = money.to_text(amount, currency).split()[0]
    assert money.to_minor(text, currency) == amount


@mark.parametrize(
    "text", ["8.355", "1e3", "1_0", "NaN", "", ".", "-", "ten", "0x10", "\uff19", "1." + "0" * 9 + "1", "9" * 99]
)
def test_text_that_is_no_amount_is_refused(text: str) -> None:
    with raises(ValueError, match=r"amount|decimals"):
        money.to_minor(text, "USD")


@settings(deadline=None, derandomize=True)
@given(charges(), st.integers(1, 10_000), CURRENCIES)
def test_an_eligible_refund_always_fits_what_is_left(charge: Transaction, amount: int, currency: str) -> None:
    answer = eligibility(charge, amount, currency, None, START)
    assert answer.eligible == (not answer.reasons)
    if answer.eligible:
        assert amount <= charge.refundable_minor and currency == charge.currency


@mark.parametrize(
    ("text", "decimal", "currency"),
    [
        ("$1,234.56", "1234.56", None),
        ("1.234,56 EUR", "1234.56", "EUR"),
        ("1 234,5 eur", "1234.5", "EUR"),
        ("¥5000", "5000", "JPY"),
        ("1,234", "1234", None),
        ("CHF 1'200.00", "1200.00", "CHF"),
        ("49", "49", None),
    ],
)
def test_quoted_amounts(text: str, decimal: str, currency: str | None) -> None:
    amount = read_amount(text)
    assert (amount.decimal, amount.currency) == (decimal, currency)


@mark.parametrize("text", ["free", "$", "12 bananas", "--5", "1.2.3.4,5,6x7", "0", "$0.00", "¥49.5", "49.1234"])
def test_amounts_that_cannot_be_read_are_refused(text: str) -> None:
    with raises(InvalidArguments):
        read_amount(text)


@mark.parametrize(
    ("text", "readings"),
    [
        ("2026-02-03", ["2026-02-03"]),
        ("Feb 3", ["2026-02-03"]),
        ("december 24th", ["2025-12-24"]),
        ("3 Feb. 2026", ["2026-02-03"]),
        ("02/03/2026", ["2026-02-03", "2026-03-02"]),
        ("13/02/26", ["2026-02-13"]),
        ("Feb 2026", ["2026-02-01 to 2026-02-28"]),
        ("yesterday", ["2026-11-20"]),
        ("29 Feb", ["2024-02-29"]),
    ],
)
def test_quoted_dates(text: str, readings: list[str]) -> None:
    assert [str(days) for days in read_date(text, date(2026, 11, 21))] == readings


@mark.parametrize("text", ["soon", "2026-13-01", "32 Jan", "99/99/9999", "3 Feb 3 2026", "0001-01-01", "Dec 9999"])
def test_dates_that_cannot_be_read_are_refused(text: str) -> None:
    with raises(InvalidArguments):
        read_date(text, date(2026, 11, 21))


def test_business_days_skip_weekends() -> None:
    assert add_business_days(date(2026, 11, 20), 1) == date(2026, 11, 23)
