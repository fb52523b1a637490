"""Keys behind a URL: kept, asked for again, and never taken from a bad answer."""

import asyncio
import gzip
import logging
from collections.abc import Generator, Sequence

import pytest
from flotilla_kit.identity.keys import SigningKey
from flotilla_kit.identity.tokens import Issuer, JwksSource
from support.tokens import Clock, KeyServer, accepts, jwks, refusal, serving, worker_claims

KEY = SigningKey.generate()
OTHER = SigningKey.generate()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Generator[KeyServer]:
    """A JWKS endpoint on a free loopback port, without a proxy in between."""
    monkeypatch.setenv("NO_PROXY", "*")
    state = KeyServer(jwks(KEY))
    with serving(state) as url:
        state.url = url
        yield state


def remote(web: KeyServer, clock: Clock) -> Issuer:
    return Issuer("flotilla", "billing", JwksSource(web.url, clock=clock))


async def test_keys_behind_a_url_are_kept_for_five_minutes(web: KeyServer, clock: Clock) -> None:
    issuer = remote(web, clock)
    assert all([await accepts(issuer, KEY, clock) for _ in range(5)])
    clock.now += 299
    assert await accepts(issuer, KEY, clock)
    assert len(web.asked) == 1
    web.body = jwks(OTHER)
    clock.now += 1
    assert not await accepts(issuer, KEY, clock)
    assert await accepts(issuer, OTHER, clock)
    assert len(web.asked) == 2


async def test_an_unknown_kid_asks_again_at_most_every_five_seconds(web: KeyServer, clock: Clock) -> None:
    issuer = remote(web, clock)
    assert await accepts(issuer, KEY, clock)
    web.body = jwks(KEY, OTHER)
    for _ in range(10):
        assert not await accepts(issuer, OTHER, clock)
    assert len(web.asked) == 1
    clock.now += 5
    assert await accepts(issuer, OTHER, clock)
    for _ in range(10):
        assert not await accepts(issuer, SigningKey.generate(), clock)
    assert len(web.asked) == 2


async def test_many_callers_at_once_ask_once(web: KeyServer, clock: Clock) -> None:
    issuer = remote(web, clock)
    unknown: Sequence[SigningKey] = [SigningKey.generate() for _ in range(10)]
    answers = await asyncio.gather(*(accepts(issuer, key, clock) for key in [KEY, *unknown, KEY]))
    assert answers == [True, *[False] * 10, True]
    assert len(web.asked) == 1


async def test_a_slow_key_server_holds_up_nobody_whose_key_is_known(web: KeyServer, clock: Clock) -> None:
    issuer = remote(web, clock)
    assert await accepts(issuer, KEY, clock)
    clock.now += 300
    web.asked_again.clear()
    web.answers.clear()
    first = asyncio.create_task(accepts(issuer, KEY, clock))
    await asyncio.to_thread(web.asked_again.wait, 4)
    assert await accepts(issuer, KEY, clock)
    assert not first.done()
    web.answers.set()
    assert await first
    assert len(web.asked) == 2


BAD_ANSWERS: dict[str, tuple[int, bytes, dict[str, str]]] = {
    "redirect": (302, jwks(KEY), {"Location": "/elsewhere"}),
    "not_found": (404, jwks(KEY), {}),
    "oversized": (200, jwks(KEY)[:-1] + b" " * 300_000 + b"}", {}),
    "no_jwks": (200, b"<html>", {}),
    "packed": (200, gzip.compress(jwks(KEY)), {"Content-Encoding": "gzip"}),
    "cut_short": (200, jwks(KEY), {"Content-Length": "9999"}),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
async def test_keys_are_not_taken_from_a_bad_answer(web: KeyServer, clock: Clock, name: str) -> None:
    web.status, web.body, web.headers = BAD_ANSWERS[name]
    issuer = remote(web, clock)
    token = KEY.sign(worker_claims())
    assert [await refusal(issuer, token) for _ in range(5)] == ["keys_unavailable"] * 5
    assert web.asked == ["/jwks"]
    web.status, web.body, web.headers = 200, jwks(KEY), {}
    clock.now += 5
    assert await accepts(issuer, KEY, clock)


async def test_an_outage_is_bridged_for_an_hour_and_no_longer(
    web: KeyServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    issuer = remote(web, clock)
    assert await accepts(issuer, KEY, clock)
    before = issuer.keys.generation
    web.status = 503
    for passed in (1800, 1800):
        clock.now += passed
        assert await accepts(issuer, KEY, clock)
    said = [record.message for record in caplog.records if record.name == JwksSource.__module__]
    assert said == ["jwks_unavailable"]
    assert caplog.records[-1].levelno == logging.WARNING
    assert issuer.keys.generation == before
    clock.now += 1
    now = int(clock.now)
    token = KEY.sign(worker_claims(iat=now, nbf=now, exp=now + 600))
    assert await refusal(issuer, token) == "keys_unavailable"
    assert issuer.keys.generation != before
    web.status = 200
    clock.now += 5
    assert await accepts(issuer, KEY, clock)


async def test_a_server_that_is_gone_is_an_outage(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    state = KeyServer(jwks(KEY))
    with serving(state) as url:
        issuer = Issuer("flotilla", "billing", JwksSource(url, clock=clock))
        assert await accepts(issuer, KEY, clock)
    clock.now += 600
    assert await accepts(issuer, KEY, clock)
    assert (
        await refusal(Issuer("flotilla", "billing", JwksSource(url)), KEY.sign(worker_claims())) == "keys_unavailable"
    )


@pytest.mark.parametrize("url", ["http://", "http://[", "https://127.0.0.1:1/jwks", "http://127.0.0.1:99999/"])
async def test_a_url_that_leads_nowhere_is_refused_as_data(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    assert (
        await refusal(Issuer("flotilla", "billing", JwksSource(url)), KEY.sign(worker_claims())) == "keys_unavailable"
    )
