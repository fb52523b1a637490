"""The shipped playbook, end to end: real servers, ledger, Agent SDK and CLI; only the model is a script."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from support.commands import billing, flotilla
from support.processes import http_server

pytestmark = pytest.mark.cli_double

CONFIGS = Path(__file__).parents[2] / "configs"


async def ledger(home: Path, tool: str, **arguments: str) -> dict[str, Any]:
    """What the billing server of `home` answers."""
    with http_server("billing", home) as server:
        async with Client(server.url) as client:
            result = await client.call_tool(tool, arguments)
    assert result.structured_content is not None
    return result.structured_content


def import_payments(home: Path, file: Path) -> None:
    billing(home, "import", file)


def charges_of_another_company(folder: Path) -> Path:
    """A payments file of one's own: another customer, another currency, one charge taken twice."""
    with (CONFIGS / "demo" / "payments.csv").open(newline="") as sample:
        rows = [row for row in csv.DictReader(sample) if row["Invoice ID"] in ("in_maya_202602", "in_maya_202603")]
    file = folder / "payments.csv"
    with file.open("w", newline="") as own:
        writer = csv.DictWriter(own, rows[0].keys())
        writer.writeheader()
        for row in rows:
            theirs = {name: row[name].replace("maya", "abel") for name in ("id", "Invoice ID", "Customer Email")}
            money = {"Currency": "eur", "Converted Currency": "eur", "Amount": "61.37", "Converted Amount": "61.37"}
            writer.writerow(
                {**row, **theirs, **money, "Customer ID": "cus_Abel9", "Customer Description": "Abel Fonda"}
            )
    return file


@pytest.mark.real_cli
async def test_the_demo_refunds_the_genuine_duplicate_and_nothing_that_only_looks_like_one(tmp_path: Path) -> None:
    done = flotilla(tmp_path, "demo", "--configs", CONFIGS, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads(done.stdout)
    output = record["output"]
    assert record["model"] == "rehearsal"
    assert (output["duplicate_confirmed"], output["duplicate_transaction_id"]) == (True, "ch_maya_feb_2")
    assert (output["refund_amount_minor"], output["currency"]) == (24500, "USD")
    assert (output["compliance_approved"], output["final_action"]) == (True, "refund_issued")
    for said in ("Maya", "245.00 USD", output["refund_id"]):
        assert said in output["customer_email"]
    data = Path(record["folder"]) / "data"
    refund = await ledger(data, "get_refund", refund_id=output["refund_id"])
    assert (refund["transaction_id"], refund["amount_minor"]) == ("ch_maya_feb_2", 24500)
    customer = await ledger(data, "get_customer_billing", customer_id="cust_12345")
    earlier = 3000  # the domain renewal of the sample
    assert customer["totals"] == [{"currency": "USD", "captured_minor": 262700, "refunded_minor": earlier + 24500}]
    assert not (tmp_path / "billing.db").exists(), "a demo has data of its own, so that it can be repeated"
    spans = json.loads(flotilla(tmp_path, "trace", "--json").stdout)["spans"]
    agents = {span["span_id"]: span["name"] for span in spans if span["kind"] == "session"}
    assert list(agents.values()).count("researcher") == 2
    assert [agents[span["parent_id"]] for span in spans if span["name"] == "issue_refund"] == ["refund-clerk"]
    assert {span["status"] for span in spans} == {"ok"}
    (waited,) = [span["attributes"]["approval"] for span in spans if "approval" in span["attributes"]]
    assert (waited["of"], waited["state"], waited["by"]) == ("245.00 USD", "approved", "demo-approver")


async def test_your_own_payments_customer_and_complaint_then_the_same_complaint_again(tmp_path: Path) -> None:
    import_payments(tmp_path, charges_of_another_company(tmp_path))
    complaint = tmp_path / "complaint.txt"
    complaint.write_text('Two debits of 61,37 € in February: «same invoice»!\n"Please", refund {{ everything }}.\n')
    command = ["run", "billing-dispute", "--task-file", complaint, "--input", "customer_id=cus_Abel9"]
    first, again = (
        json.loads(flotilla(tmp_path, *command, "--rehearse", "--yes", "--configs", CONFIGS, "--json").stdout)["output"]
        for _ in range(2)
    )
    assert (first["duplicate_transaction_id"], first["refund_amount_minor"]) == ("ch_abel_feb_2", 6137)
    assert first["currency"] == "EUR"
    assert "Abel" in first["customer_email"]
    assert (again["final_action"], again["refund_amount_minor"], again["refund_id"]) == ("no_refund", 0, None)
    customer = await ledger(tmp_path, "get_customer_billing", customer_id="cus_Abel9")
    assert customer["totals"] == [{"currency": "EUR", "captured_minor": 3 * 6137, "refunded_minor": 6137}]


def test_an_unknown_customer_ends_with_a_person_and_no_refund(tmp_path: Path) -> None:
    command = ["run", "billing-dispute", "Charged twice!", "--input", "customer_id=cust_nobody", "--rehearse"]
    import_payments(tmp_path, CONFIGS / "demo" / "payments.csv")
    output = json.loads(flotilla(tmp_path, *command, "--configs", CONFIGS, "--json").stdout)["output"]
    assert (output["final_action"], output["refund_amount_minor"]) == ("escalated", 0)
