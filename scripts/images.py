"""Writes deploy/images/*.txt from what is installed: the names of what each image needs of requirements.lock.

python -m scripts.images            write them
python -m scripts.images --check    exit 1 if they are not what the distributions say

A name whose marker is false here is listed as well: its line in the lock has the marker, and pip reads it where the
image is built.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "deploy" / "images"
EXTRAS = frozenset({"postgres", "telemetry"})
IMAGES = {
    "kit": "flotilla-kit",  # what all images have in common
    "billing": "flotilla-billing",
    "crm": "flotilla-crm",
    "k8s": "flotilla-k8s",
    "memory": "flotilla-memory",
    "orchestrator": "flotilla-orchestrator",
    "build": "hatchling",  # what the wheels of the members are built with; no image has it
}


def locked() -> frozenset[str]:
    """Every name in requirements.lock."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return frozenset(re.split(r"==", line)[0] for line in lines if re.match(r"[a-z0-9]", line))


def needed(distribution: str, known: frozenset[str]) -> list[str]:
    """The locked names that a distribution needs, at any depth; itself too if it is locked."""
    found: set[tuple[str, frozenset[str]]] = set()
    pending = [(distribution, EXTRAS)]
    while pending:
        name, extras = pending.pop()
        if (name, extras) in found:
            continue
        found.add((name, extras))
        pending += [
            (other, frozenset(required.extras))
            for required in map(Requirement, _requires(name))
            if (other := canonicalize_name(required.name)) in known or other.startswith("flotilla-")
            if _applies(required, extras)
        ]
    return sorted({name for name, _ in found} & known)


def _requires(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:  # of another system or Python
        return []


def _applies(required: Requirement, extras: frozenset[str]) -> bool:
    """Whether one of the extras asks for it, or none has to."""
    if required.marker is None or "extra" not in str(required.marker):
        return True
    return any(required.marker.evaluate({"extra": extra}) for extra in extras)


def main() -> int:
    known = locked()
    wanted = {TARGET / f"{image}.txt": "\n".join(needed(name, known)) + "\n" for image, name in IMAGES.items()}
    if sys.argv[1:] == ["--check"]:
        stale = [file.name for file, text in wanted.items() if not file.exists() or file.read_text() != text]
        if stale:
            print(f"out of step with the lock: {', '.join(stale)}; run `python -m scripts.images`", file=sys.stderr)
        return bool(stale)
    TARGET.mkdir(parents=True, exist_ok=True)
    for file, text in wanted.items():
        file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
