"""`flotilla-billing import` reads Stripe's payments export, all of it or nothing."""

import json
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flotilla_billing import stripe_csv
from flotilla_kit import cli
from flotilla_kit.imports import ImportRefused
from pytest import mark, raises
from support import programs
from support.processes import clean_environment
from support.terminal import at_terminal

Here = Callable[..., tuple[int, str, str]]
HEADER = "id,Created date (UTC),Amount,Amount Refunded,Currency,Captured,Description,Status,Customer ID,Invoice ID\n"
GOOD = "ch_1,2026-02-03 09:00:00,49.00,0.00,usd,true,Plan,Paid,cust_1,in_1\n"


def run_import(home: Path, text: str, *arguments: str, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    file = home / "payments.csv"
    file.write_text(text, encoding=encoding)
    return programs.run("flotilla-billing", "import", file, *arguments, environ=clean_environment(home), folder=home)


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
    assert [str(problem).split(":")[0] for problem in refused.value.problems] == [f"line {n}" for n in range(6, 12)]


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


def many(count: int) -> str:
    """An export of so many payments."""
    rows = (f"ch_{n},2026-02-03 09:00:00,49.00,0.00,usd,true,Plan,Paid,cust_{n % 999},in_{n}\n" for n in range(count))
    return HEADER + "".join(rows)


@pytest.fixture
def import_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Here:
    """Runs the command in this process: its exit code, what it answers, and what it tells the person."""

    def run(text: str, *arguments: str) -> tuple[int, str, str]:
        file = tmp_path / "payments.csv"
        file.write_text(text)
        code = cli.main("flotilla_billing", ["--home", str(tmp_path), "import", str(file), *arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def count_of(home: Path, table: str = "transactions") -> int:
    with sqlite3.connect(home / "billing.db") as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_a_dry_run_and_then_the_import_are_told_as_json(tmp_path: Path, import_here: Here) -> None:
    counts = {"added": 1, "changed": 0, "known": 0, "customers": 1, "invoices": 1}
    outcome: dict[str, object] = {"file": str(tmp_path / "payments.csv"), "counts": counts}
    outcome |= {"problems": [], "more_problems": 0}
    for dry_run in (True, False):
        code, said, told = import_here(HEADER + GOOD, "--json", *(["--dry-run"] if dry_run else []))
        assert (code, told) == (0, "")
        assert json.loads(said) == {**outcome, "imported": not dry_run, "dry_run": dry_run}
    _, said, _ = import_here(HEADER + GOOD.replace("49.00,0.00", "49.00,9.00"), "--dry-run")
    assert said == "would import 0 payments (0 customers, 0 invoices), update 1, 0 already known\n"


def test_problems_are_told_as_json_with_line_and_column_and_without_values(import_here: Here) -> None:
    import_here(HEADER + GOOD)
    bad = GOOD.replace("49.00", "50.00") + "ch_2,2026-02-03 09:00:00,4.999,0,doge,true,x,Paid,cust_1,\n"
    code, answer, _ = import_here(HEADER + bad, "--json")
    said = json.loads(answer)
    assert (code, said["imported"], said["counts"]) == (1, False, None)
    assert said["problems"] == [
        {"line": 2, "column": "id", "message": "is known with another amount_minor"},
        {"line": 3, "column": "currency", "message": "is not a currency"},
    ]


def test_a_column_of_another_name_is_mapped(import_here: Here) -> None:
    other = HEADER.replace("id,", "Payment ref,", 1) + GOOD
    code, _, told = import_here(other)
    assert code == 1 and "lacks the columns id (--map" in told
    assert import_here(other, "--map", "Payment Ref=id")[0] == 0
    with raises(SystemExit, match="2"):
        import_here(other, "--map", "nonsense")


def test_a_customer_is_named_by_whichever_row_names_it(tmp_path: Path, import_here: Here) -> None:
    header = HEADER.strip() + ",Customer Email,Customer Description\n"
    first, *others = many(1200).splitlines()[1:]
    rows = [f"{first},,\n", *(f"{other},,\n" for other in others[:-1]), f"{others[-1]},late@example.com,Late\n"]
    rows[0] = rows[0].replace("cust_0", "cust_late")
    rows[-1] = re.sub("cust_[0-9]+", "cust_late", rows[-1])
    assert import_here(header + "".join(rows))[0] == 0
    with sqlite3.connect(tmp_path / "billing.db") as connection:
        found = connection.execute("SELECT name, email FROM customers WHERE customer_id = 'cust_late'").fetchall()
    assert found == [("Late", "late@example.com")]


def test_a_killed_import_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    run_import(tmp_path, HEADER + GOOD.replace("ch_1", "ch_before"))
    file, log = tmp_path / "many.csv", tmp_path / "billing.db-wal"
    file.write_text(many(10_000))
    environment = clean_environment(tmp_path)
    importing = programs.start("flotilla-billing", "import", file, environ=environment, folder=tmp_path)
    deadline = time.monotonic() + 60
    # SQLite spills what does not fit its cache: the transaction is in the middle, with thousands of rows in it.
    while not (log.exists() and log.stat().st_size > 1_000_000) and time.monotonic() < deadline:
        assert importing.poll() is None
        time.sleep(0.005)
    importing.kill()
    importing.communicate()
    assert importing.returncode == -signal.SIGKILL
    assert (count_of(tmp_path), count_of(tmp_path, "ledger_entries")) == (1, 2)
    again = programs.run("flotilla-billing", "import", file, environ=environment, folder=tmp_path)
    assert "imported 10000 payments (999 customers, 10000 invoices)" in again.stdout


def test_two_imports_at_once_take_turns(tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    file.write_text(many(2_000))
    words = ("flotilla-billing", "import", file, "--json")
    both = [programs.start(*words, environ=clean_environment(tmp_path), folder=tmp_path) for _ in range(2)]
    counts = [json.loads(importing.communicate()[0])["counts"] for importing in both]
    assert sorted((each["added"], each["known"]) for each in counts) == [(0, 2_000), (2_000, 0)]


def test_a_person_at_a_terminal_sees_a_bar(tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    file.write_text(many(3_000))
    command = [*programs.command("flotilla-billing"), "import", file]
    code, shown = at_terminal(command, {**clean_environment(tmp_path), "TERM": "xterm", "COLUMNS": "100"})
    assert code == 0 and "many.csv" in shown and "%" in shown and "imported 3000 payments" in shown
    assert "%" not in at_terminal([*command, "--json"], clean_environment(tmp_path))[1]


@mark.parametrize(
    ("package", "flags", "said"),
    [("flotilla_billing", ["--read-only"], "--read-only"), ("light_switch", [], "imports no files")],
)
def test_a_server_that_cannot_import_says_so(
    package: str, flags: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(package, ["--home", str(tmp_path), *flags, "import", "x.csv"]) == 2
    assert said in capsys.readouterr().err
