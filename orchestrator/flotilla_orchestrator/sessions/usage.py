"""What a session has used, and what that costs."""

from claude_agent_sdk import ResultMessage

from ..config.prices import Prices, Tokens


def used_in(message: ResultMessage, longest_prompt: int, prices: Prices) -> tuple[float | None, int, int]:
    """Dollars by `prices`, tokens of all prompts and tokens of all answers, as the CLI counts them.

    `model_usage` has every call by the model that was asked, also those that failed on the way; `usage` is empty when
    a session ran out of dollars. A model without a price costs what the CLI says.

    Args:
        longest_prompt: in tokens; the CLI's counts are sums, so where one call's prompt was long, all count as such.
    """
    cost_usd, prompts, answers = 0.0, 0, 0
    for name, usage in (message.model_usage or {}).items():
        tokens = Tokens.from_model_usage(usage)
        price = prices.price_of(usage.get("canonicalModel") or name) or prices.price_of(name)
        cost_usd += price.cost(tokens, longest_prompt) if price else usage["costUSD"]
        prompts += tokens.prompt
        answers += tokens.output
    return (cost_usd if message.model_usage else message.total_cost_usd), prompts, answers
