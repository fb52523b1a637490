"""What sessions cost: by the price list, which is the CLI's own unless the config folder says otherwise."""

from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from claude_agent_sdk import Message, ResultMessage
from flotilla_orchestrator.config.config import ConfigError
from flotilla_orchestrator.config.files import load
from flotilla_orchestrator.config.prices import LongPrompt, Price, Prices, Tokens, shipped_prices
from flotilla_orchestrator.sessions.session import run_session
from flotilla_orchestrator.sessions.transcript import Transcript
from flotilla_orchestrator.sessions.types import Session, SessionResult
from support.sessions import Heard, scripted, session
from support.stage import Stage

SHIPPED = Path(__file__).parents[2] / "configs"
MILLION = 1_000_000
OWN = {"input": 1, "output": 2, "cache_write": 3, "cache_read": 4}
PRICE = Price.model_validate(OWN)


def prices(models: dict[str, Price], **aliases: str) -> Prices:
    return Prices.model_validate({"as_of": "2026-11-21", "currency": "USD", "aliases": aliases, "models": models})


def prices_file(stage: Stage, **changes: object) -> list[str]:
    """What is wrong with a folder that has such a `prices.yaml`."""
    stage.write_all({})
    stage.worker("lead")
    stage.write("prices.yaml", yaml.safe_dump({"as_of": "2026-11-21", "currency": "USD", **changes}, sort_keys=False))
    with pytest.raises(ConfigError) as caught:
        load(stage.configs)
    return [f"{problem.file.name}:{problem.line}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize("model", ["opus", "sonnet", "haiku", "claude-sonnet-4-6", "claude-fable-5-2"])
async def test_the_shipped_prices_are_those_of_the_cli(model: str, tmp_path: Path) -> None:
    told: list[ResultMessage] = []

    def hear(_: Session, message: Message) -> None:
        if isinstance(message, ResultMessage):
            told.append(message)

    async with scripted({"say": "Hello. " * 50}) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, model=model, on_message=hear), Heard())
    (message,) = told
    assert message.total_cost_usd
    assert result.cost_usd == pytest.approx(message.total_cost_usd)


async def test_a_model_without_a_price_costs_what_the_cli_says(tmp_path: Path) -> None:
    async with scripted({"say": "Hello."}) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, model="my-model"), Heard())
    assert result.cost_usd


async def test_a_session_stops_by_its_own_prices_not_by_the_list(tmp_path: Path) -> None:
    """A contract can be dearer than the list by which the CLI counts."""
    haiku = shipped_prices().price_of("haiku")
    assert haiku
    dearer = {name: 100 * rate for name, rate in haiku.model_dump(exclude={"long_prompt"}).items()}
    own = prices({"claude-haiku-5-5": Price.model_validate(dearer)}).with_defaults(shipped_prices())
    turns: Iterable[dict[str, object]] = [{"call": "no_such_tool", "id": f"call_{n}"} for n in range(9)]
    async with scripted(*turns) as rehearsal:
        result: SessionResult = await run_session(session(rehearsal, tmp_path, budget_usd=0.012, prices=own), Heard())
    assert result.failure
    assert result.failure.code == "budget_exceeded"
    assert result.cost_usd
    assert 0.012 <= result.cost_usd < 0.012 * 2
    assert result.turns < 9


def test_a_price_is_found_however_a_provider_spells_its_model() -> None:
    listed = shipped_prices()
    assert listed.price_of("haiku") == listed.price_of("claude-haiku-5-5")
    assert listed.price_of("us.anthropic.claude-opus-4-8-20260401-v1:0") == listed.price_of("claude-opus-4-8")
    assert listed.price_of("claude-sonnet-4-5@20250929") == listed.price_of("claude-sonnet-4-5")
    assert (
        listed.price_of("claude-opus-5-5[1m]") == listed.price_of("claude-opus-5-5") != listed.price_of("claude-opus-5")
    )
    assert listed.price_of("claude-opus-5-9") is None, "no version is priced as another"


def test_each_kind_of_token_has_its_price() -> None:
    price = Price(input=1, output=2, cache_write=3, cache_write_1h=4, cache_read=5)
    assert price.cost(Tokens(MILLION, MILLION, MILLION, MILLION, MILLION), 0) == 15
    same = Price(input=1, output=2, cache_write=3, cache_read=5)
    assert same.cost(Tokens(cache_write_1h=MILLION), 0) == 3


def test_a_long_prompt_is_dearer() -> None:
    price = Price(input=1, output=2, cache_write=3, cache_read=4, long_prompt=LongPrompt(above=1000, times=5))
    assert price.cost(Tokens(MILLION), longest=1000) == 1
    assert price.cost(Tokens(MILLION), longest=1001) == 5


def test_the_tokens_of_an_answer_are_told_apart() -> None:
    usage = {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 4,
        "cache_creation": {"ephemeral_1h_input_tokens": 10, "ephemeral_5m_input_tokens": 20},
    }
    assert Tokens.from_usage(usage) == Tokens(1, 2, 20, 10, 4)


def test_what_a_transcript_cost_is_never_nothing() -> None:
    """Nobody can ask the CLI any more: without a price the dearest counts."""
    answer: dict[str, object] = {
        "id": "msg_1",
        "model": "unheard-of",
        "content": [],
        "usage": {"input_tokens": MILLION},
    }
    past = Transcript([{"type": "assistant", "message": answer}])
    listed = prices({"a": PRICE, "b": PRICE.model_copy(update={"input": 7})})
    assert past.usage(listed, "too").cost_usd == 7
    assert past.usage(listed, "a").cost_usd == 1


def test_the_folders_own_prices_replace_what_they_name(stage: Stage) -> None:
    stage.write_all({})
    stage.worker("lead")
    own = {"as_of": "2026-11-01", "currency": "USD", "models": {"claude-haiku-5-5": OWN, "my-model": OWN}}
    stage.write("prices.yaml", yaml.safe_dump(own))
    found = load(stage.configs).prices
    assert found.price_of("haiku") == found.price_of("my-model") == PRICE
    assert found.price_of("opus") == shipped_prices().price_of("opus")
    assert load(SHIPPED).prices == shipped_prices()


def test_what_is_wrong_with_prices_is_said_with_its_line(stage: Stage) -> None:
    wrong = {"inputs": 1, "output": -2, "cache_write": 3, "cache_read": 4}
    assert prices_file(stage, models={"a": wrong}) == [
        "prices.yaml:4: `models.a.input` is required",
        "prices.yaml:5: unknown key `models.a.inputs`; did you mean `input`?",
        "prices.yaml:6: `models.a.output`: input should be greater than or equal to 0",
    ]


def test_a_short_name_must_stand_for_a_model_with_a_price(stage: Stage) -> None:
    assert prices_file(stage, models={"a": OWN}, aliases={"haiku": "claude-haiku-9"})[0].startswith(
        "prices.yaml:10: `haiku` stands for `claude-haiku-9`, which has no price"
    )
