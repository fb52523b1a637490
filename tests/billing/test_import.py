"""`flotilla-billing import` reads Stripe's payments export, all of it or nothing."""

import re
import subprocess
from pathlib import Path

from flotilla_billing import stripe_csv
from flotilla_kit.imports import ImportRefused
from pytest import mark, raises
from support import programs
from support.processes import clean_environment

HEADER = "id,Created date (UTC),Amount,Amount Refunded,Currency,Captured,Description,Status,Customer ID,Invoice ID\n"
GOOD = "ch_1,2026-02-03 09:00:00,49.00,0.00,usd,true,Plan,Paid,cust_1,in_1\n"


def run_import(home: Path, text: str, *, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    file = home / "payments.csv"
    file.write_text(text, encoding=encoding)
    return programs.run("flotilla-billing", "import", file, environ=clean_environment(home), folder=home)


def test_import_says_what_it_did_and_may_be_repeated(tmp_path: Path) -> None:
    first = run_import(tmp_path, HEADER + GOOD)
    assert (first.returncode, first.stdout) == (
        0,
        "imported 1 payments (1 customers, 1 invoices), updated 0, 0 already known\n",
    )
    again = run_import(tmp_path, HEADER + GOOD)
    assert "imported 0 payments" in again.stdout and "1 already known" in again.stdout


def test_one_bad_row_keeps_everything_out_and_is_named(tmp_path: Path) -> None:
    bad = run_import(tmp_path, HEADER + GOOD + "ch_2,2026-02-03 09:00:00,4.999,0,usd,true,x,Paid,cust_1,\n")
    assert bad.returncode == 1
    assert "line 3: amount: '4.999' has more decimals than USD has (2)" in bad.stderr
    assert "Nothing was imported" in bad.stderr and "Traceback" not in bad.stderr
    assert "0 already known" in run_import(tmp_path, HEADER + GOOD).stdout


def test_every_bad_row_is_reported_with_the_line_it_starts_in() -> None:
    rows = [
        'ch_1,2026-02-03 09:00:00,49.00,0.00,usd,true,"a\nmultiline ""quoted"" text",Paid,cust_1,in_1',
        "",
        ",,,,,,,,,",
        "ch_2,yesterday,49.00,0.00,usd,true,,Paid,cust_1,",
        "ch_3,2026-02-03 09:00:00,-5,0.00,usd,true,,Paid,cust_1,",
        "ch_4,2026-02-03 09:00:00,49.00,60.00,usd,true,,Refunded,cust_1,",
        "ch_5,2026-02-03 09:00:00,49.00,0.00,doge,true,,Paid,cust_1,",
        "ch_6,2026-02-03 09:00:00,49.00,0.00,usd,true,,Teleported,cust_1,",
        "../etc,2026-02-03 09:00:00,49.00,0.00,usd,true,,Paid,cust_1,",
    ]
    with raises(ImportRefused) as refused:
        stripe_csv.parse(HEADER + "\n".join(rows))
    assert [problem.split(":")[0] for problem in refused.value.problems] == [f"line {n}" for n in range(6, 12)]


def test_quoted_blank_semicolon_and_byte_order_marks_are_read() -> None:
    text = "\ufeff" + HEADER + '\nch_1,2026-02-03 09:00,"1,049.00",,eur,true,"a, ""b""",Paid,,\n'
    (row,) = stripe_csv.parse(text)
    assert (row["amount_minor"], row["currency"], row["description"]) == (104900, "EUR", 'a, "b"')
    assert row["customer_id"] == "guest_ch_1"
    (same,) = stripe_csv.parse(HEADER.replace(",", ";") + GOOD.replace(",", ";"))
    assert same["transaction_id"] == "ch_1"


@mark.parametrize(
    ("amount", "currency", "minor"), [("5000", "jpy", 5000), ("14.750", "kwd", 14750), ("8.35", "usd", 835)]
)
def test_amounts_are_exact_in_every_currency(amount: str, currency: str, minor: int) -> None:
    (row,) = stripe_csv.parse(HEADER + f"ch_1,2026-02-03 09:00:00,{amount},0,{currency},true,,Paid,cust_1,\n")
    assert row["amount_minor"] == minor


@mark.parametrize(
    ("amount", "currency", "minor"),
    [('"49,00"', "eur", 4900), ('"1.234,5"', "eur", 123450), ('"1,234"', "usd", 123400), ('"5,000"', "jpy", 5000)],
)
def test_amounts_of_exports_with_a_decimal_comma_are_not_a_hundred_times_too_large(
    amount: str, currency: str, minor: int
) -> None:
    (row,) = stripe_csv.parse(HEADER + f"ch_1,2026-02-03 09:00:00,{amount},0,{currency},true,,Paid,cust_1,\n")
    assert row["amount_minor"] == minor


@mark.parametrize(
    ("row", "problem"),
    [
        ('ch_1,2026-02-03 09:00:00,"14,750",0,kwd,true,,Paid,cust_1,', "amount: '14,750' can be read in two ways"),
        ("ch_1,2026-02-03 09:00:00,1e3,0,usd,true,,Paid,cust_1,", "amount: '1e3' is not an amount"),
        ("ch_1,2026-02-03 09:00:00,49.00,0,usd,true,Plan, monthly,Paid,cust_1,", "more or fewer cells"),
        ("ch_1,2026-02-03 09:00:00,49.00,0,usd,true,Plan,Paid", "more or fewer cells"),
        ("ch_1,2026-02-03 09:00:00,49.00,0,usd,true,Plan,Paid,cust_1,in 1/2", "invoice id 'in 1/2' is not an id"),
    ],
)
def test_a_row_that_can_be_misread_is_refused(row: str, problem: str) -> None:
    with raises(ImportRefused, match=re.escape(problem)):
        stripe_csv.parse(HEADER + row)


def test_both_spellings_of_the_time_column_are_read() -> None:
    other = HEADER.replace("Created date (UTC)", "Created (UTC)")
    assert stripe_csv.parse(other + GOOD) == stripe_csv.parse(HEADER + GOOD)


@mark.parametrize(
    ("cells", "status", "captured"),
    [
        ("49.00,0.00,usd,false,,Failed", "failed", 0),
        ("49.00,49.00,usd,true,,Refunded", "succeeded", 4900),
        ("49.00,0.00,usd,false,,Uncaptured", "uncaptured", 0),
        ("49.00,0.00,usd,true,,Disputed", "succeeded", 4900),
    ],
)
def test_each_status_keeps_its_meaning(cells: str, status: str, captured: int) -> None:
    (row,) = stripe_csv.parse(HEADER + f"ch_1,2026-02-03 09:00:00,{cells},cust_1,\n")
    assert (row["status"], row["captured_minor"]) == (status, captured)


def test_a_newer_export_updates_what_it_says_more_about(tmp_path: Path) -> None:
    run_import(tmp_path, HEADER + GOOD)
    newer = run_import(tmp_path, HEADER + GOOD.replace("49.00,0.00", "49.00,9.00"))
    assert "updated 1" in newer.stdout


def test_a_known_payment_with_another_amount_is_refused(tmp_path: Path) -> None:
    run_import(tmp_path, HEADER + GOOD)
    other = run_import(tmp_path, HEADER + GOOD.replace("49.00", "50.00"))
    assert other.returncode == 1
    assert "ch_1 is known with another amount_minor" in other.stderr


@mark.parametrize(("text", "encoding"), [("id,name\n1,2\n", "utf-8"), ("", "utf-8"), (HEADER + "é", "utf-16")])
def test_another_file_is_refused_in_words(tmp_path: Path, text: str, encoding: str) -> None:
    refused = run_import(tmp_path, text, encoding=encoding)
    assert refused.returncode == 1
    assert "Nothing was imported" in refused.stderr and "Traceback" not in refused.stderr
