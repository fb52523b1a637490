"""Tools that judge an account: its score, and what is wrong."""

from fastmcp.tools import tool
from flotilla_kit.errors import InvalidArguments
from flotilla_kit.tools import READ, declare

from ..arguments import Count, Id, OptionalId, Score
from ..health.score import Given
from ..models import Health, Risks
from .call import BY_ACCOUNT, caller, store


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def calculate_account_health_score(
    account_id: OptionalId = None,
    engagement_score: Score = None,
    financial_score: Score = None,
    satisfaction_score: Score = None,
    overdue_invoices: Count = None,
    overdue_days: Count = None,
) -> Health:
    """An account's health, 0-100, explained. Scores that you pass count as they are; what billing knows, pass too."""
    given = Given(engagement_score, financial_score, satisfaction_score, overdue_invoices, overdue_days)
    if account_id is None and (engagement_score, financial_score, satisfaction_score) == (None, None, None):
        raise InvalidArguments("There is nothing to score.", suggestion="Pass account_id, or the three scores.")
    return await store().health(caller(), account_id, given)


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def detect_risk_signals(account_id: Id, overdue_invoices: Count = None, overdue_days: Count = None) -> Risks:
    """What is wrong at an account, worst first, with evidence. Overdue invoices are for you to ask billing for."""
    given = Given(overdue_invoices=overdue_invoices, overdue_days=overdue_days)
    return await store().risks(caller(), account_id, given)
