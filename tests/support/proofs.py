"""How long a proof runs; in the kit, whose suite is a proof too."""

from flotilla_kit.testing.proofs import FULL, SEED, draw, share

__all__ = ["FULL", "SEED", "draw", "share"]
