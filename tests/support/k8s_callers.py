"""Callers that provision and delete a few namespaces over and over, and what they were told of it."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from flotilla_kit.testing.harness import Harness
from flotilla_kit.testing.process import Step
from flotilla_kit.testing.tokens import VICTIM

from .k8s_sandbox import Sandbox

SETTLES_S = 120  # a generous bound for a loaded machine, not a measurement
NAMES = tuple(f"shared-{number}" for number in range(4))
FAULTS = ("conflict", "throttled", "internal", "timeout", "lost", "unavailable", "hang")
PLACES = ("before_send", "before_write Namespace", "after_write Namespace", "after_write ResourceQuota",
          "after_write LimitRange", "after_send", "settling", "before_delete", "after_delete")  # fmt: skip
AGAIN = ("outcome_unknown", "cluster_unavailable", "timed_out", "store_unavailable")
REFUSED = ("being_deleted", "changed_meanwhile", "partly_provisioned", "not_found", "conflict")
"""What a caller may be told whose change somebody else's got in the way of."""
Data = dict[str, Any]


@dataclass
class Told:
    """What the callers were told, and what the sandbox saw happen."""

    answers: Counter[str] = field(default_factory=Counter[str])
    made: int = 0
    """Namespaces that somebody was told to have made."""
    deleted: set[str] = field(default_factory=set[str])
    """uids that somebody was told are gone, or going."""
    kills: int = 0
    seen_made: int = 0
    seen_deleted: set[str] = field(default_factory=set[str])

    def heard(self, qualified: str, change: Any) -> None:
        """A listener of the sandbox's storage."""
        if qualified == "namespaces" and change.stored.object["metadata"]["name"] in NAMES:
            self.seen_made += change.type == "ADDED"
            if change.stored.object["metadata"].get("deletionTimestamp"):
                self.seen_deleted.add(change.stored.object["metadata"]["uid"])

    def take(self, answer: Data) -> None:
        self.answers[answer.get("code", answer.get("result", ""))] += 1
        done: list[Data] = answer.get("objects") or answer.get("details", {}).get("done") or []
        self.made += any(each["kind"] == "Namespace" and each["result"] == "created" for each in done)
        if answer.get("result") in ("deleted", "terminating"):
            self.deleted.add(answer["uid"])


class Callers:
    """Workers of one server, each call in a run of its own; some are made in a process that is killed in it."""

    def __init__(self, sandbox: Sandbox, harness: Harness, told: Told) -> None:
        self.told = told
        self._sandbox, self._harness = sandbox, harness
        self._forking = asyncio.Lock()

    async def work(self, draw: random.Random, calls: int) -> None:
        """Make so many changes, one after the other."""
        for _ in range(calls):
            if draw.random() < 0.4:
                method, times = draw.choice(["PATCH", "DELETE", "GET"]), draw.randint(1, 3)
                self._sandbox.fail(draw.choice(FAULTS), times, method, "/api/v1/namespaces*", seconds=1)
            place = draw.choice(PLACES) if draw.random() < 0.25 else ""
            name = draw.choice(NAMES)
            if draw.random() < 0.65:
                limits = {"cpu_limit": draw.choice("48"), "memory_limit": "8Gi"}
                self.told.take(await self.call("provision_namespace", {"name": name, **limits}, place))
            else:
                self.told.take(await self.call("delete_resource", {"kind": "Namespace", "name": name}, place))

    async def call(self, tool: str, arguments: Data, place: str = "") -> Data:
        """A change by a worker in a run of its own, repeated until something definite is heard."""
        clerk, use = self._harness.worker(tool, subject=VICTIM), f"use_{self._harness.number()}"
        async with asyncio.timeout(SETTLES_S):
            if place and tool != "delete_resource":
                await self._killed(Step(clerk.token, tool, arguments, use, place))
            while True:
                answer = await clerk.call(tool, arguments, use=use)
                if answer.code == "approval_required":
                    # It may have been asked for anew meanwhile: the next call says so.
                    await self._harness.decide(answer.data["details"]["approval_id"])
                    if place:  # only now it comes further than asking
                        await self._killed(Step(clerk.token, tool, arguments, use, place))
                        place = ""
                elif answer.code not in AGAIN:
                    return answer.data
                await asyncio.sleep(0.05)

    async def _killed(self, step: Step) -> None:
        """Have a process make the call and die in it, if it comes to that place."""
        processes = await self._harness.processes()
        async with self._forking:  # one at a time: it answers on one pipe
            passed = await processes.run(step)
        self.told.kills += passed.killed
