"""A test suite that any server runs over itself: what its author says in a `ServerUnderTest`, it proves the rest.

Needs the extra `flotilla-kit[testing]`.
"""

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{module}" for module in ("rules", "harness", "caller", "connections"))
)  # so that a rule's failure shows what was compared

from .proofs import FULL, draw, share  # noqa: E402  once their assertions are rewritten
from .server import Change, Read, ServerUnderTest  # noqa: E402
from .suite import Guarantees, broken_rules  # noqa: E402

__all__ = ["FULL", "Change", "Guarantees", "Read", "ServerUnderTest", "broken_rules", "draw", "share"]
