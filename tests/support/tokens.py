"""Tokens for tests: good claims, and a table of forgeries each of which every server must refuse."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from flotilla_kit.identity.keys import SigningKey
from flotilla_kit.identity.tokens import Issuer, TokenRefused

Claims = dict[str, Any]
Forge = Callable[[SigningKey, Claims], str]


def worker_claims(**changes: object) -> Claims:
    """What a worker's token says, valid for ten minutes from now, with changes; a change to None leaves it out."""
    now = int(time.time())
    claims: Claims = {
        "iss": "flotilla",
        "sub": "refund-clerk",
        "aud": "billing",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "jti": secrets.token_hex(16),
        "run": "run_1",
        "authorization_details": [],
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def signed(key: SigningKey, payload: bytes | Mapping[str, Any], **header: object) -> str:
    """Really signed by the key, whatever the payload and header are; a header of None is left out."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    fields = {name: value for name, value in {"kid": key.kid, **header}.items() if value is not None}
    return jwt.PyJWS().encode(content, jwt.PyJWK(dict(key.private_jwk())), "EdDSA", headers=fields)


def encode(part: bytes | Mapping[str, Any]) -> str:
    """A segment of a token."""
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def jwks(*keys: SigningKey) -> bytes:
    return json.dumps({"keys": [key.public_jwk() for key in keys]}).encode()


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = float(worker_claims()["iat"])

    def __call__(self) -> float:
        return self.now


class KeyServer:
    """What the key server answers next, and how often it was asked."""

    def __init__(self, body: bytes) -> None:
        self.status, self.body, self.headers = 200, body, dict[str, str]()
        self.asked: list[str] = []
        self.asked_again, self.answers = threading.Event(), threading.Event()
        self.answers.set()
        self.url = ""


@contextmanager
def serving(state: KeyServer) -> Generator[str]:
    """Its URL on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            state.asked_again.set()
            state.answers.wait(4)
            self.send_response(state.status)
            for name, value in {"Content-Length": str(len(state.body)), **state.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/jwks"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _changed(**changes: object) -> Forge:
    return lambda key, claims: signed(key, {n: v for n, v in {**claims, **changes}.items() if v is not None})


def _moved(**seconds: int) -> Forge:
    """Times set to so many seconds after `iat`."""
    return lambda key, claims: key.sign({**claims, **{name: claims["iat"] + by for name, by in seconds.items()}})


def _parts(change: Callable[[str, str, str], str]) -> Forge:
    return lambda key, claims: change(*key.sign(claims).split("."))


def _hs256(key: SigningKey, claims: Claims) -> str:
    secret = base64.urlsafe_b64decode(key.public_jwk()["x"] + "=")
    message = f"{encode({'alg': 'HS256', 'typ': 'JWT', 'kid': key.kid})}.{encode(claims)}"
    return f"{message}.{encode(hmac.digest(secret, message.encode(), hashlib.sha256))}"


def _embedded(key: SigningKey, claims: Claims) -> str:
    own = SigningKey.generate()
    return signed(own, claims, kid=key.kid, jwk=own.public_jwk())


def _elsewhere(header: str) -> Forge:
    return lambda key, claims: signed(
        SigningKey.generate(), claims, kid=key.kid, **{header: "https://attacker.invalid/keys"}
    )


def _twice(key: SigningKey, claims: Claims) -> str:
    return signed(key, (json.dumps(claims)[:-1] + ', "sub": "owner"}').encode())


def _not_a_number(key: SigningKey, claims: Claims) -> str:
    return signed(key, json.dumps({**claims, "exp": float("nan")}).encode())


_ALG_TWICE = b'{"alg": "EdDSA", "alg": "EdDSA"}'

BAD_TOKENS: dict[str, Forge] = {
    "unsigned": lambda key, claims: f"{encode({'alg': 'none', 'kid': key.kid})}.{encode(claims)}.",
    "unsigned_under_a_signature": _parts(lambda header, payload, mac: f"{encode({'alg': 'none'})}.{payload}.{mac}"),
    "hs256_with_the_public_key": _hs256,
    "other_key_of_the_same_kid": lambda key, claims: SigningKey.generate(key.kid).sign(claims),
    "other_key": lambda key, claims: SigningKey.generate().sign(claims),
    "other_key_without_kid": lambda key, claims: signed(SigningKey.generate(), claims, kid=None),
    "expired": _moved(iat=-700, nbf=-700, exp=-1),
    "no_exp": _changed(exp=None),
    "no_jti": _changed(jti=None),
    "no_iat": _changed(iat=None),
    "no_aud": _changed(aud=None),
    "no_sub": _changed(sub=None),
    "no_iss": _changed(iss=None),
    "empty_jti": _changed(jti=""),
    "long_sub": _changed(sub="s" * 201),
    "control_character_in_sub": _changed(sub="refund-clerk\n"),
    "lone_surrogate_in_sub": _changed(sub="\ud800"),
    "sub_is_a_number": lambda key, claims: signed(key, {**claims, "sub": 1}),
    "future_nbf": _moved(nbf=120),
    "future_iat": _moved(iat=120),
    "lifetime_of_two_hours": _moved(exp=7200),
    "issued_long_ago_and_still_valid": _moved(iat=-3500, exp=600),
    "wrong_iss": _changed(iss="somebody-else"),
    "aud_of_another_server": _changed(aud="memory"),
    "auds_of_other_servers": _changed(aud=["memory", "crm"]),
    "aud_with_ours_inside": _changed(aud="billing.example"),
    "unknown_crit": lambda key, claims: signed(key, claims, crit=["exp2"], exp2=1),
    "empty_crit": lambda key, claims: signed(key, claims, crit=[]),
    "payload_swapped": _parts(lambda header, payload, mac: f"{header}.{encode(worker_claims(sub='owner'))}.{mac}"),
    "header_swapped": lambda key, claims: (
        f"{encode({'alg': 'EdDSA', 'kid': key.kid})}.{key.sign(claims).partition('.')[2]}"
    ),
    "signature_truncated": _parts(
        lambda header, payload, mac: f"{header}.{payload}.{encode(base64.urlsafe_b64decode(mac + '==')[:32])}"
    ),
    "signature_empty": _parts(lambda header, payload, mac: f"{header}.{payload}."),
    "garbage_after": _parts(lambda header, payload, mac: f"{header}.{payload}.{mac}AAAA"),
    "newline_after": _parts(lambda header, payload, mac: f"{header}.{payload}.{mac}\n"),
    "padding_after": _parts(lambda header, payload, mac: f"{header}.{payload}.{mac}=="),
    "four_segments": _parts(lambda header, payload, mac: f"{header}.{payload}.{mac}.{mac}"),
    "two_segments": _parts(lambda header, payload, mac: f"{header}.{payload}"),
    "empty": lambda key, claims: "",
    "not_base64": _parts(lambda header, payload, mac: f"{header}.!{payload[1:]}.{mac}"),
    "header_not_base64": _parts(lambda header, payload, mac: f"é!{header}.{payload}.{mac}"),
    "lone_surrogate": _parts(lambda header, payload, mac: f"{header}.\ud800.{mac}"),
    "header_is_an_array": _parts(lambda header, payload, mac: f"{encode(b'[]')}.{payload}.{mac}"),
    "header_is_deep": _parts(lambda header, payload, mac: f"{encode(b'[' * 9000)}.{payload}.{mac}"),
    "payload_is_an_array": lambda key, claims: signed(key, json.dumps([claims]).encode()),
    "payload_is_deep": lambda key, claims: signed(key, b"[" * 9000),
    "exp_is_a_string": lambda key, claims: signed(key, {**claims, "exp": str(claims["exp"])}),
    "exp_is_nan": _not_a_number,
    "nan_in_a_bound": lambda key, claims: signed(key, {**claims, "authorization_details": [{"maximum": float("nan")}]}),
    "exp_is_infinite": lambda key, claims: signed(
        key, json.dumps({**claims, "exp": 0}).replace('"exp": 0', '"exp": 1e999').encode()
    ),
    "exp_is_true": lambda key, claims: signed(key, {**claims, "exp": True}),
    "twenty_kilobytes": _changed(note="n" * 20_000),
    "nested": lambda key, claims: signed(key, key.sign(claims).encode(), cty="JWT"),
    "kid_is_a_path": lambda key, claims: SigningKey.generate("../../../etc/passwd").sign(claims),
    "kid_is_a_list": _parts(lambda header, payload, mac: f"{encode({'alg': 'EdDSA', 'kid': ['a']})}.{payload}.{mac}"),
    "jwk_in_the_header": _embedded,
    "jku_in_the_header": _elsewhere("jku"),
    "x5u_in_the_header": _elsewhere("x5u"),
    "claim_twice": _twice,
    "alg_twice": _parts(lambda header, payload, mac: f"{encode(_ALG_TWICE)}.{payload}.{mac}"),
}

REASONS = {
    "unsigned": "algorithm",
    "unsigned_under_a_signature": "algorithm",
    "hs256_with_the_public_key": "algorithm",
    "other_key_of_the_same_kid": "signature",
    "other_key": "unknown_key",
    "expired": "expired",
    "no_exp": "no_expiry",
    "no_jti": "no_id",
    "no_iat": "no_issued_at",
    "no_aud": "audience",
    "no_sub": "subject",
    "no_iss": "issuer",
    "empty_jti": "no_id",
    "long_sub": "subject",
    "control_character_in_sub": "subject",
    "lone_surrogate_in_sub": "subject",
    "sub_is_a_number": "subject",
    "future_nbf": "not_yet_valid",
    "future_iat": "issued_in_future",
    "lifetime_of_two_hours": "lifetime",
    "issued_long_ago_and_still_valid": "lifetime",
    "wrong_iss": "issuer",
    "aud_of_another_server": "audience",
    "auds_of_other_servers": "audience",
    "aud_with_ours_inside": "audience",
    "unknown_crit": "critical_header",
    "empty_crit": "critical_header",
    "payload_swapped": "signature",
    "header_swapped": "signature",
    "signature_truncated": "signature",
    "signature_empty": "signature",
    "garbage_after": "signature",
    "twenty_kilobytes": "too_long",
    "kid_is_a_path": "unknown_key",
    "jwk_in_the_header": "signature",
    "jku_in_the_header": "signature",
    "x5u_in_the_header": "signature",
    "other_key_without_kid": "",
}
"""Why each is refused, where `malformed` is not the answer; empty where it depends on how many keys there are."""


async def refusal(issuer: Issuer, token: str) -> str:
    with pytest.raises(TokenRefused) as refused:
        await issuer.verify(token)
    return refused.value.reason


async def accepts(issuer: Issuer, key: SigningKey, clock: Clock) -> bool:
    """Whether a token that the key signs now is accepted."""
    now = int(clock.now)
    claims = worker_claims(iat=now, nbf=now, exp=now + 600)
    try:
        return await issuer.verify(key.sign(claims)) == claims
    except TokenRefused as refused:
        assert refused.reason == "unknown_key"
        return False
