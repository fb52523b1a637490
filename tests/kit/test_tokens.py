"""Which tokens are accepted, and where the keys for that come from."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from flotilla_kit.identity.keys import KeyRing, SigningKey, write_jwks
from flotilla_kit.identity.tokens import Issuer, JwksSource
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from support.tokens import BAD_TOKENS, REASONS, Claims, Clock, accepts, jwks, refusal, signed, worker_claims

KEY = SigningKey.generate()
OTHER = SigningKey.generate()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A JWKS file with two keys."""
    path = tmp_path / "public.json"
    write_jwks(path, [KEY.public_jwk(), OTHER.public_jwk()])
    return path


@pytest.fixture
def source(file: Path, clock: Clock) -> JwksSource:
    return JwksSource(str(file), clock=clock)


@pytest.fixture
def issuer(source: JwksSource) -> Issuer:
    return Issuer("flotilla", "billing", source)


def spoil(path: Path, content: bytes | None) -> None:
    path.unlink() if content is None else path.write_bytes(content)


async def test_a_good_token_gives_its_claims(issuer: Issuer) -> None:
    claims = worker_claims()
    assert await issuer.verify(KEY.sign(claims)) == claims


@pytest.mark.parametrize("name", BAD_TOKENS)
async def test_a_forgery_is_refused_for_its_own_reason(issuer: Issuer, name: str) -> None:
    reason = await refusal(issuer, BAD_TOKENS[name](KEY, worker_claims()))
    assert reason == REASONS.get(name, "malformed") or not REASONS.get(name, "malformed")


@pytest.mark.parametrize("name", BAD_TOKENS)
async def test_a_forgery_is_refused_where_only_one_key_is_known(file: Path, issuer: Issuer, name: str) -> None:
    write_jwks(file, [KEY.public_jwk()])
    assert await refusal(issuer, BAD_TOKENS[name](KEY, worker_claims()))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["memory", "billing"]},
        {"nbf": None},
        {"sub": "s" * 200},
        {"sub": "Zoë Müller"},
        {"nested": {"deep": [1, None, "é"]}},
    ],
)
async def test_what_the_rules_allow_is_accepted(issuer: Issuer, changes: dict[str, Any]) -> None:
    claims = worker_claims(**changes)
    assert await issuer.verify(KEY.sign(claims)) == claims


@pytest.mark.parametrize(
    ("moved", "reason"),
    [
        ({"exp": 3600}, ""),
        ({"exp": 3601}, "lifetime"),
        ({"exp": 600.5}, ""),
        ({"iat": 5, "nbf": 5}, ""),
        ({"iat": 6}, "issued_in_future"),
        ({"nbf": 6}, "not_yet_valid"),
        ({"iat": 5, "exp": 3605}, ""),
        ({"iat": 5, "exp": 3606}, "lifetime"),
        ({"iat": -600, "exp": 1}, ""),
        ({"iat": -600, "exp": 0}, "expired"),
    ],
)
async def test_times_are_exact(issuer: Issuer, clock: Clock, moved: dict[str, float], reason: str) -> None:
    now = int(clock.now)
    token = KEY.sign(worker_claims(**{name: now + by for name, by in moved.items()}))
    if reason:
        assert await refusal(issuer, token) == reason
    else:
        await issuer.verify(token)


async def test_an_accepted_token_expires(issuer: Issuer, clock: Clock) -> None:
    token = KEY.sign(worker_claims())
    await issuer.verify(token)
    clock.now += 600
    assert await refusal(issuer, token) == "expired"


async def test_a_token_without_kid_is_accepted_only_where_one_key_is_known(file: Path, issuer: Issuer) -> None:
    token = signed(KEY, worker_claims(), kid=None)
    assert await refusal(issuer, token) == "unknown_key"
    write_jwks(file, [KEY.public_jwk()])
    await issuer.verify(token)


async def test_a_key_speaks_for_its_own_subject_only(tmp_path: Path) -> None:
    alice, bob = SigningKey.generate("alice"), SigningKey.generate("bob")
    write_jwks(tmp_path / "approvers.json", [alice.public_jwk(), bob.public_jwk()])
    issuer = Issuer("approvers", "billing", JwksSource(str(tmp_path / "approvers.json")), subject_is_key=True)
    claims = worker_claims(iss="approvers", sub="alice")
    assert await issuer.verify(alice.sign(claims)) == claims
    assert await refusal(issuer, bob.sign(claims)) == "subject"


async def test_a_subject_that_is_not_listed_is_refused(source: JwksSource) -> None:
    issuer = Issuer("flotilla", "billing", source, subjects=frozenset({"alice"}))
    await issuer.verify(KEY.sign(worker_claims(sub="alice")))
    assert await refusal(issuer, KEY.sign(worker_claims())) == "subject"


@pytest.mark.parametrize("algorithms", [(), ("HS256",), ("none",), ("EdDSA", "HS512"), ("ES512",), ("",)])
def test_an_issuer_with_an_algorithm_that_proves_nothing_is_refused(source: JwksSource, algorithms: Any) -> None:
    with pytest.raises(ValueError, match="algorithms"):
        Issuer("flotilla", "billing", source, algorithms)


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEYS = {"ES256": ec.generate_private_key(ec.SECP256R1()), "ES384": ec.generate_private_key(ec.SECP384R1())}
RSA_JWK = RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True)


def foreign(path: Path, *algorithms: str, **changes: object) -> Issuer:
    """An OAuth issuer whose JWKS holds an RSA key and two EC keys, as changed."""
    keys = [{**RSA_JWK, "kid": "rsa", **changes}]
    for name, key in EC_KEYS.items():
        keys.append({**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, **changes})
    path.write_text(json.dumps({"keys": keys}))
    return Issuer("flotilla", "billing", JwksSource(str(path)), algorithms)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384"])
async def test_other_issuers_algorithms_are_accepted_where_allowed(tmp_path: Path, algorithm: str) -> None:
    issuer = foreign(tmp_path / "jwks.json", algorithm)
    claims = worker_claims()
    assert await issuer.verify(foreign_token(claims, algorithm)) == claims
    assert await refusal(foreign(tmp_path / "jwks.json", "EdDSA"), foreign_token(claims, algorithm)) == "algorithm"


async def test_a_key_that_states_its_algorithm_verifies_no_other(tmp_path: Path) -> None:
    issuer = foreign(tmp_path / "jwks.json", "RS256", "PS256", alg="RS256")
    await issuer.verify(foreign_token(worker_claims(), "RS256"))
    assert await refusal(issuer, foreign_token(worker_claims(), "PS256")) == "algorithm"


async def test_a_key_verifies_no_algorithm_of_another_kind(tmp_path: Path) -> None:
    issuer = foreign(tmp_path / "jwks.json", "RS256", "EdDSA")
    assert await refusal(issuer, SigningKey.generate("rsa").sign(worker_claims())) == "algorithm"


def foreign_token(claims: Claims, algorithm: str) -> str:
    if algorithm in EC_KEYS:
        return jwt.encode(claims, EC_KEYS[algorithm], algorithm, {"kid": algorithm})
    return jwt.encode(claims, RSA_KEY, algorithm, {"kid": "rsa"})


WEAK = RSAAlgorithm.to_jwk(rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key(), as_dict=True)


@pytest.mark.parametrize(
    "changed",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": 1},
        {"alg": "ES256"},
        {"alg": "RSA-OAEP"},
        {"alg": ["EdDSA"]},
        {"crv": "X25519"},
        {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
        {"kty": ["OKP"]},
        {"x": "AAAA"},
        {"x": 1},
        {"kid": 1},
        {**WEAK, "alg": "RS256", "crv": None},
        {"d": KEY.private_jwk()["d"]},
    ],
)
async def test_a_key_that_is_no_public_signing_key_is_ignored(
    file: Path, issuer: Issuer, changed: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    ignored = {name: value for name, value in {**KEY.public_jwk(), **changed}.items() if value is not None}
    keys = [ignored, OTHER.public_jwk(), "x", None]
    spoil(file, json.dumps({"keys": keys}).encode())
    assert await refusal(issuer, KEY.sign(worker_claims())) == "unknown_key"
    await issuer.verify(OTHER.sign(worker_claims()))
    assert "jwks_key_ignored" in caplog.messages
    assert KEY.private_jwk()["d"] not in str([vars(record) for record in caplog.records])


async def test_keys_rotate_and_retire_without_a_restart(tmp_path: Path, clock: Clock) -> None:
    ring = KeyRing(tmp_path)
    old = ring.current()
    source = JwksSource(str(ring.public_file), clock=clock)
    issuer = Issuer("flotilla", "billing", source)
    assert await accepts(issuer, old, clock)
    new = ring.rotate()
    assert await accepts(issuer, new, clock)  # at once: an unknown kid makes it look again
    assert await accepts(issuer, old, clock)
    before = source.generation
    ring.retire(old.kid)
    clock.now += 1
    assert not await accepts(issuer, old, clock)
    assert await accepts(issuer, new, clock)
    assert source.generation != before


async def test_a_cache_of_verified_tokens_learns_of_a_retired_key(file: Path, source: JwksSource, clock: Clock) -> None:
    await source.refresh()
    before = source.generation
    await source.refresh()
    clock.now += 1
    await source.refresh()
    assert source.generation == before
    write_jwks(file, [OTHER.public_jwk()])
    clock.now += 1
    await source.refresh()
    assert source.generation != before


DAMAGES = {
    "gone": None,
    "empty": b"",
    "not_json": b"{",
    "array": b"[]",
    "no_keys": b"{}",
    "keys_is_an_object": b'{"keys": {}}',
    "not_text": b"\xff\xfe",
    "deep": b"[" * 9000,
    "large": b" " * 300_000 + jwks(KEY),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
async def test_the_last_good_keys_serve_on_when_the_file_goes_bad(
    file: Path, issuer: Issuer, clock: Clock, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    assert await accepts(issuer, KEY, clock)
    spoil(file, damage)
    for _ in range(3):
        clock.now += 10_000
        assert await accepts(issuer, KEY, clock)
        assert not await accepts(issuer, SigningKey.generate(), clock)
    assert caplog.messages == ["jwks_unavailable"]
    write_jwks(file, [OTHER.public_jwk()])
    clock.now += 1
    assert not await accepts(issuer, KEY, clock)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
async def test_nothing_is_accepted_before_a_file_was_good(
    file: Path, issuer: Issuer, clock: Clock, damage: bytes | None
) -> None:
    spoil(file, damage)
    assert await refusal(issuer, KEY.sign(worker_claims())) == "keys_unavailable"
    write_jwks(file, [KEY.public_jwk()])
    clock.now += 1
    assert await accepts(issuer, KEY, clock)


async def test_a_clock_that_is_set_back_does_not_keep_a_retired_key(file: Path, issuer: Issuer, clock: Clock) -> None:
    assert await accepts(issuer, KEY, clock)
    write_jwks(file, [OTHER.public_jwk()])
    clock.now -= 10_000
    assert not await accepts(issuer, KEY, clock)


async def test_an_emptied_file_revokes_every_key(file: Path, issuer: Issuer, clock: Clock) -> None:
    assert await accepts(issuer, KEY, clock)
    write_jwks(file, [])
    clock.now += 1
    assert not await accepts(issuer, KEY, clock)
