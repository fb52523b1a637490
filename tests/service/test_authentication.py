"""Who may call the API: a token with the scope that a route takes, or, on loopback, whoever is there."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from flotilla_kit.identity.keys import SigningKey, write_jwks
from flotilla_orchestrator.service.authentication import BearerTokens, NoAuthentication, issuer_of
from flotilla_orchestrator.service.tokens import Tokens
from support.commands import flotilla
from support.service import RUN, Desk, bearer, desk

ISSUER, AUDIENCE = "https://id.example", "flotilla-api"


async def test_without_a_valid_token_nothing_is_told(api: Desk) -> None:
    expired = api.token("old", "read", "run", expires_days=-1)
    no_text = {b"Authorization": "Bearer ä".encode()}
    answers = [
        await api.client.request(method, path, headers=headers)
        for headers in (
            {},
            bearer("flt_wrong"),
            no_text,
            expired,
            {"Authorization": "Basic bWF5YQ=="},
        )
        for method, path in (("GET", "/v1/runs"), ("POST", "/v1/runs"), ("GET", "/v1/no-such-route"))
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1, "nobody learns what was wrong, or what there is"
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer realm="flotilla"'}


async def test_a_token_that_is_too_narrow_is_told_which_scope_it_lacks(api: Desk) -> None:
    reader, runner = api.token("reader", "read"), api.token("runner", "run")
    for headers, method, scope in ((reader, "POST", "run"), (runner, "GET", "read")):
        answer = await api.client.request(method, "/v1/runs", json=RUN if method == "POST" else None, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
        assert f'scope="{scope}"' in answer.headers["www-authenticate"]


async def test_a_removed_token_is_taken_no_more_and_a_new_one_at_once(api: Desk) -> None:
    maya = api.token("maya", "read")
    assert (await api.client.get("/v1/runs", headers=maya)).status_code == 200
    Tokens(api.resources.home).remove("maya")
    assert (await api.client.get("/v1/runs", headers=maya)).status_code == 401
    other = bearer(Tokens(api.resources.home).add("ben", ["read"])[1])
    assert (await api.client.get("/v1/runs", headers=other)).status_code == 200


def test_tokens_are_shown_once_and_kept_as_hashes(tmp_path: Path) -> None:
    said = flotilla(tmp_path, "tokens", "add", "maya", "--scope", "run", "--expires-days", "7", "--json")
    added = json.loads(said.stdout)
    assert added["token"].startswith("flt_")
    file = tmp_path / "service-tokens.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert added["token"] not in file.read_text()
    (listed,) = json.loads(flotilla(tmp_path, "tokens", "list", "--json").stdout)["tokens"]
    assert (listed["name"], listed["scopes"], "sha256" in listed) == ("maya", ["run"], False)
    again = flotilla(tmp_path, "tokens", "add", "maya", "--scope", "run", "--json")
    assert json.loads(again.stdout)["error"]["code"] == "token_exists"
    assert flotilla(tmp_path, "tokens", "remove", "maya").returncode == 0
    assert flotilla(tmp_path, "tokens", "remove", "maya").returncode == 2


async def test_a_caller_who_sends_too_much_is_told_when_to_come_again(tmp_path: Path) -> None:
    async with desk(tmp_path, calls_per_s=0.2) as api:
        maya, ben = api.token("maya", "read"), api.token("ben", "read")
        assert (await api.client.get("/v1/runs", headers=maya)).status_code == 200
        limited = await api.client.get("/v1/runs", headers=maya)
        assert (limited.status_code, limited.json()["code"]) == (429, "rate_limited")
        assert 1 <= int(limited.headers["retry-after"]) <= 5
        assert (await api.client.get("/v1/runs", headers=ben)).status_code == 200


async def test_the_access_log_says_who_and_what_but_no_secret(api: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "flotilla.access")
    maya = api.token("maya", "read")
    await api.client.get("/v1/runs?playbook=hidden", headers=maya)
    (line,) = [vars(record) for record in caplog.records if record.name == "flotilla.access"]
    assert (line["method"], line["path"], line["status"], line["caller"]) == ("GET", "/v1/runs", 200, "maya")
    assert maya["Authorization"].split()[1] not in str(line)
    assert "hidden" not in str(line)


class Issuing:
    """An OIDC issuer, and the API that takes its tokens."""

    def __init__(self, folder: Path) -> None:
        self.key, self.keys = SigningKey.generate("k1"), folder / "jwks.json"
        write_jwks(self.keys, [self.key.public_jwk()])
        issuer = issuer_of(str(self.keys), ISSUER, AUDIENCE)
        self.authentication = BearerTokens(Tokens(folder), issuer)

    def token(self, *, key: SigningKey | None = None, **claims: Any) -> dict[str, str]:
        now = int(time.time())
        said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "maya", "jti": "1", "iat": now, "exp": now + 60}
        return bearer((key or self.key).sign({**said, "scope": "openid read", **claims}))


async def test_a_jwt_of_the_issuer_is_taken_for_the_scopes_it_names(tmp_path: Path) -> None:
    issuing = Issuing(tmp_path)
    async with desk(tmp_path, authentication=issuing.authentication) as api:
        assert (await api.client.get("/v1/runs", headers=issuing.token())).status_code == 200
        narrow = await api.client.post("/v1/runs", json=RUN, headers=issuing.token())
        assert narrow.status_code == 403
        wide = issuing.token(scope="run read", aud=["elsewhere", AUDIENCE])
        run = (await api.client.post("/v1/runs", json=RUN, headers=wide)).json()
        assert run["requested_by"] == "maya"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "elsewhere"},
        {"iss": "https://other.example"},
        {"exp": 1},
        {"key": SigningKey.generate("k1")},
    ],
)
async def test_a_jwt_that_proves_nothing_is_refused_like_any_other(tmp_path: Path, claims: dict[str, Any]) -> None:
    issuing = Issuing(tmp_path)
    async with desk(tmp_path, authentication=issuing.authentication) as api:
        answer = await api.client.get("/v1/runs", headers=issuing.token(**claims))
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_without_authentication_no_other_origin_reaches_it(tmp_path: Path) -> None:
    async with desk(tmp_path, authentication=NoAuthentication()) as api:
        assert (await api.client.get("/v1/runs")).status_code == 200
        assert (await api.start({}))["requested_by"] is None
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            answer = await api.client.get("/v1/runs", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (421, "foreign_host"), headers


@pytest.mark.parametrize(
    "words",
    [
        ["--http", "0.0.0.0:0"],
        ["--http", "0.0.0.0:0", "--auth", "none"],
        ["--http", "127.0.0.1:0", "--issuer", "https://id.example"],
        ["--http", "nowhere"],
    ],
)
def test_it_does_not_listen_where_nobody_would_be_asked(tmp_path: Path, words: list[str]) -> None:
    said = flotilla(tmp_path, "serve", *words, "--json")
    assert said.returncode == 2
    assert json.loads(said.stdout)["error"]["code"] in ("no_authentication", "invalid_arguments")
