"""Namespaces provisioned and deleted over and over by eight callers, with errors of the API server and `kill -9`.

It ends as it was asked for, whatever was told happened, and whatever is half made is finished by a repeat.
"""

import asyncio
from pathlib import Path

import pytest
from flotilla_k8s.server import SPEC
from flotilla_k8s.settings import Settings
from flotilla_k8s.writing.provisioning_plan import LIMITS, QUOTA
from flotilla_kit.testing import Change, ServerUnderTest
from flotilla_kit.testing.serving import running
from support.k8s_callers import NAMES, REFUSED, Callers, Told
from support.k8s_sandbox import k8s_sandbox
from support.proofs import draw, share

CALLS, CALLERS = 500, 8
SAMPLES = [Change("provision_namespace"), Change("delete_resource")]


@pytest.mark.prove
async def test_provisions_and_deletes_converge_and_what_is_told_is_true(tmp_path: Path) -> None:
    told = Told()
    with k8s_sandbox(tmp_path) as sandbox:
        storage = sandbox.running.cluster.storage
        storage.listeners.append(told.heard)
        given = {"kubeconfig": sandbox.kubeconfig, "request_timeout_s": 2}
        async with running(ServerUnderTest(SPEC, Settings, SAMPLES, given=lambda _: given), tmp_path) as harness:
            callers = Callers(sandbox, harness, told)
            each = share(CALLS) // CALLERS + 1
            await asyncio.gather(*(callers.work(draw(f"caller {number}"), each) for number in range(CALLERS)))
            sandbox.running.faults.clear()

            results = {"created", "updated", "unchanged", "deleted", "terminating"}
            assert set(told.answers) <= results | set(REFUSED), told.answers
            assert told.answers["created"] and told.answers["deleted"] + told.answers["terminating"], told.answers
            # What somebody deletes while the answer of its making is lost is made once more.
            assert told.made <= told.seen_made <= told.made + told.kills + told.answers["partly_provisioned"], told
            assert told.deleted <= told.seen_deleted, told

            limits = {"cpu_limit": "6", "memory_limit": "8Gi"}
            for name in NAMES:
                answer = {"result": ""}
                async with asyncio.timeout(60):
                    while answer.get("result") not in ("created", "updated", "unchanged"):
                        answer = await callers.call("provision_namespace", {"name": name, **limits})
                        await asyncio.sleep(0.05)
                again = await callers.call("provision_namespace", {"name": name, **limits})
                assert again["result"] == "unchanged", again
                quota, defaults = storage.get("resourcequotas", name, QUOTA), storage.get("limitranges", name, LIMITS)
                assert quota is not None and quota["spec"]["hard"]["limits.cpu"] == "6" and defaults is not None
            await harness.verify()
