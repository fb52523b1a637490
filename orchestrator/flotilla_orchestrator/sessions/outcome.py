"""The failure that the last message of a session stands for, where it is no result."""

from claude_agent_sdk import ResultMessage

from ..errors import Failure
from .types import Session

SEE_LOG = "See claude.log in the run's folder."


def failure_of(session: Session, message: ResultMessage) -> Failure | None:
    """The failure that a message stands for; None: it is a result."""
    agent = session.agent
    match message.subtype, message.api_error_status:
        case "error_max_turns", _:
            return Failure("turns_exceeded", f"{agent} used all of its {session.max_turns} turns.", "Raise max_turns.")
        case "error_max_budget_usd", _:
            return Failure("budget_exceeded", f"{agent} used all of its ${session.budget_usd:g}.", "Raise budget_usd.")
        case "error_max_structured_output_retries", _:
            return Failure("invalid_output", f"{agent} gave a result that does not fit the schema, again and again.")
        case _, (401 | 403) as status:
            return _model_error("authentication_failed", message, status, "Check the API key or login token.")
        case _, 429:
            return _model_error("rate_limited", message, 429, "Try again later.", retryable=True)
        case _, 529:
            return _model_error("overloaded", message, 529, "Try again later.", retryable=True)
        case _, int() as status:
            return _model_error("model_error", message, status, retryable=status >= 500)
        case _, None if message.terminal_reason == "api_error":
            return _model_error("model_error", message, None, retryable=True)
        case "success", None if not message.is_error:
            return None
        case subtype, _:
            reason = "; ".join(message.errors or ()) or message.result or subtype
            return Failure("session_failed", f"{agent} ended early: {reason[:300]}", SEE_LOG)


def _model_error(
    code: str, message: ResultMessage, status: int | None, suggestion: str = "", *, retryable: bool = False
) -> Failure:
    reason = (message.result or "The model did not answer.")[:500]
    return Failure(code, reason, suggestion, retryable=retryable, details={"status": status})
