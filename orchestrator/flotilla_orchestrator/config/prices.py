"""What models cost: dollars per million tokens, from a dated file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from flotilla_rehearsal.yaml_loader import LOADER
from pydantic import BaseModel, ConfigDict, Field

_SHIPPED = Path(__file__).parent / "prices.yaml"
_LEAST_RATE = 0.001  # of the list price: a model without a price is bounded all the same


@dataclass(frozen=True)
class Tokens:
    """What was used of a model; a prompt is all of it but `output`."""

    input: int = 0
    output: int = 0
    cache_write: int = 0
    """Tokens cached for an hour are in `cache_write_1h`, not here."""
    cache_write_1h: int = 0
    cache_read: int = 0

    @property
    def prompt(self) -> int:
        return self.input + self.cache_write + self.cache_write_1h + self.cache_read

    @classmethod
    def from_usage(cls, usage: Mapping[str, Any]) -> "Tokens":
        """From the `usage` of an answer of the Messages API."""
        cache_writes: Mapping[str, int] = usage.get("cache_creation") or {}
        hour = cache_writes.get("ephemeral_1h_input_tokens") or 0
        return cls(
            usage.get("input_tokens") or 0,
            usage.get("output_tokens") or 0,
            (usage.get("cache_creation_input_tokens") or 0) - hour,
            hour,
            usage.get("cache_read_input_tokens") or 0,
        )

    @classmethod
    def from_model_usage(cls, usage: Mapping[str, Any]) -> "Tokens":
        """From the CLI's `modelUsage` of one model."""
        hour = usage.get("cacheCreationEphemeral1hInputTokens") or 0
        return cls(
            usage["inputTokens"],
            usage["outputTokens"],
            usage["cacheCreationInputTokens"] - hour,
            hour,
            usage["cacheReadInputTokens"],
        )


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LongPrompt(_Model):
    above: int = Field(gt=0, description="tokens of a prompt, cached ones included")
    times: float = Field(ge=1, description="the factor for a call with a longer one, its answer included")


class Price(_Model):
    """Dollars per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cache_write: float = Field(ge=0)
    cache_write_1h: float | None = Field(default=None, ge=0, description="default: as `cache_write`")
    cache_read: float = Field(ge=0)
    long_prompt: LongPrompt | None = None

    def cost(self, tokens: Tokens, longest: int) -> float:
        """Dollars for `tokens` of calls whose longest prompt had so many tokens."""
        hour = self.cache_write if self.cache_write_1h is None else self.cache_write_1h
        millionths = (
            tokens.input * self.input
            + tokens.output * self.output
            + tokens.cache_write * self.cache_write
            + tokens.cache_write_1h * hour
            + tokens.cache_read * self.cache_read
        )
        factor = self.long_prompt.times if self.long_prompt and longest > self.long_prompt.above else 1
        return millionths * factor / 1_000_000


class Prices(_Model):
    """The file `prices.yaml`."""

    as_of: date
    currency: Literal["USD"]
    source: str = Field(default="", description="where the numbers come from")
    aliases: dict[str, str] = Field(default={}, description="short names of models, as workers' files have them")
    models: dict[str, Price] = Field(min_length=1)

    def with_defaults(self, defaults: "Prices") -> "Prices":
        """These prices, with those of `listed` for what is not named here."""
        models, aliases = {**defaults.models, **self.models}, {**defaults.aliases, **self.aliases}
        return self.model_copy(update={"models": models, "aliases": aliases})

    def price_of(self, model: str) -> Price | None:
        """The price by a model's name as any provider spells it: with a date or version after, or a vendor before."""
        name = self.aliases.get(model, model)
        return self.models.get(name) or next(
            (price for known, price in self.models.items() if _name_pattern(known).search(name)), None
        )

    def highest_cost(self, tokens: Tokens) -> float:
        """The most that `tokens` of one call can cost."""
        return max(price.cost(tokens, tokens.prompt) for price in self.models.values())

    def cli_budget(self, budget_usd: float, model: str) -> float:
        """Dollars by the CLI's own list, which are spent no later than `usd` are by this one."""
        listed = shipped_prices().price_of(model) or shipped_prices().price_of(
            "opus"
        )  # by which it prices unknown models
        own = self.price_of(model)
        if own is None or listed is None or own == listed:
            return budget_usd
        pairs = zip(_rates(own), _rates(listed), strict=True)
        return budget_usd / max(_LEAST_RATE, *(rate / cli for rate, cli in pairs))


def _rates(price: Price) -> list[float]:
    hour = price.cache_write if price.cache_write_1h is None else price.cache_write_1h
    times = price.long_prompt.times if price.long_prompt else 1
    plain = [price.input, price.output, price.cache_write, hour, price.cache_read]
    return [*plain, *(rate * times for rate in plain)]


@cache
def _name_pattern(known: str) -> re.Pattern[str]:
    """`claude-opus-5-5` spells `us.anthropic.claude-opus-5-5-20260922-v1:0`; `claude-opus-5` does not."""
    return re.compile(rf"(?:^|[./]){re.escape(known)}(?!\d|-\d{{1,2}}(?!\d))")


@cache
def shipped_prices() -> Prices:
    """The prices that come with this version."""
    return Prices.model_validate(yaml.load(_SHIPPED.read_text(encoding="utf-8"), LOADER))
