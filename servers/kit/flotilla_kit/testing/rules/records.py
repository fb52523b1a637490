"""Every call, allowed or refused, leaves exactly one audit record, and the chain of records holds."""

from collections import Counter

from ... import audit
from ..harness import Harness
from ..rule import rule
from ..server import Change
from ..tokens import VICTIM, granted
from ..wire import ERAS, LEGACY
from .crashes import CALLER


@rule
async def every_call_leaves_one_record(harness: Harness) -> None:
    """Those of all rules that ran before, and here one of each kind: answered, refused, repeated, malformed, hidden."""
    for sample in harness.server.tools:
        arguments = harness.fresh(sample)
        bounds = {name: {"const": value} for name, value in arguments.items()}
        caller = harness.worker(granted(sample.tool, bounds), subject=f"auditor of {sample.tool}")
        for era in ERAS:
            await caller.call(sample.tool, arguments, use="one", era=era)
            await caller.call(sample.tool, {**arguments, "no_such_argument": 1}, use="two", era=era)
            await caller.call(sample.tool, {**arguments, **dict.fromkeys(bounds)}, use="three", era=era)
            await caller.call("no_such_tool", arguments, era=era)
            await caller.call("decide_approval", {}, era=era)
            await caller.call(sample.tool, [1], era=era)
            await caller.call("file:///etc/passwd", None, era=era, method="resources/read")
        if isinstance(sample, Change):
            await harness.clerk(sample, waits=True, subject=f"asker for {sample.tool}").call(sample.tool, arguments)
    recorded, sent = await harness.recorded(), Counter(harness.sent)
    for subject in {*sent} - {VICTIM, "", CALLER}:
        assert recorded[subject] == sent[subject], f"{subject} made {sent[subject]} calls: {recorded[subject]} records"
    await harness.verify()


@rule
async def a_record_says_who_did_what_and_repeats_no_secret(harness: Harness) -> None:
    """Text that a caller is free to choose is not kept."""
    secret, since = "a secret that nobody keeps", await _seq(harness)
    for sample in harness.server.tools:
        caller = harness.worker(sample.tool, subject=f"teller of {sample.tool}", run="run_secret")
        await caller.call(sample.tool, {**harness.fresh(sample), "words": secret, secret: 1}, era=LEGACY)
        await caller.call(secret[:12], {"words": secret}, era=LEGACY)
    async with harness.records() as database:
        written = await database.read(lambda connection: list(audit.export(connection, since)))
    for sample in harness.server.tools:
        mine = [record for record in written if record["subject"] == f"teller of {sample.tool}"]
        said = [(record["tool"], record["outcome"]) for record in mine]
        assert said == [
            (sample.tool, "invalid_arguments"),
            (secret[:12], "unknown_tool"),
        ], said
        for record in mine:
            assert (record["principal"], record["run"]) == ("worker", "run_secret"), record
            assert secret not in str(record) and len(str(record["arguments"])) < 1_000, record
            assert len(str(record["arguments_digest"])) == 64, record


async def _seq(harness: Harness) -> int:
    """How many records there are."""
    async with harness.records() as database:
        return (await database.read(audit.head)).seq


RULES = [a_record_says_who_did_what_and_repeats_no_secret, every_call_leaves_one_record]
