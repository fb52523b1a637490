"""Refunds that an earlier version left unsettled become external effects of the kit's, which drive them on."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

PENDING = """
    SELECT refund_id, transaction_id, amount_minor, currency, created_at FROM refunds WHERE status = 'pending'
"""
RECORDED = "SELECT principal, run, tool, key, digest FROM effects WHERE outcome = :outcome"
CARRY_OVER = """
    INSERT INTO external_effects (effect_id, server, principal, run, tool, key, digest, request, state, attempts,
        created_at, updated_at, performed_at, lease_until)
    VALUES (:effect_id, 'billing', :principal, :run, :tool, :key, :digest, :request, 'unknown', 0,
        :created_at, :created_at, :created_at, :created_at)
"""


def upgrade() -> None:
    connection = op.get_bind()
    for refund in connection.execute(sa.text(PENDING)).all():
        outcome = json.dumps({"refund_id": refund.refund_id})
        recorded = connection.execute(sa.text(RECORDED), {"outcome": outcome}).mappings().one()
        request = {name: getattr(refund, name) for name in ("transaction_id", "amount_minor", "currency")}
        said = {"effect_id": refund.refund_id, "created_at": refund.created_at, "request": json.dumps(request)}
        connection.execute(sa.text(CARRY_OVER), {**recorded, **said})
