"""Ids that callers see."""

import secrets


def new(prefix: str) -> str:
    """`con_`, `deal_`, … and 20 random hex digits."""
    return f"{prefix}_{secrets.token_hex(10)}"
