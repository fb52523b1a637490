"""Approvers of the built-in issuer: their keys, who believes them, and the tokens they mint."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from flotilla_billing.settings import Settings
from flotilla_kit.identity.approvers import ApproverError, Approvers, mint, read_key
from flotilla_kit.identity.tokens import Issuer, JwksSource, TokenRefused
from support import programs
from support.processes import clean_environment


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load({"home": tmp_path / "home"})


def command(home: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return programs.run(
        "flotilla-billing", "approvers", *arguments, environ=clean_environment(home), folder=home.parent
    )


def issuer(settings: Settings) -> Issuer:
    """Who the server itself would believe now."""
    keys = JwksSource(str(settings.approvers_file))
    return Issuer("flotilla-billing-approvers", "billing", keys, subject_is_key=True)


def secret(path: Path) -> str:
    return str(json.loads(path.read_text())["d"])


async def test_a_new_approvers_token_is_believed_until_they_are_removed(settings: Settings) -> None:
    home = settings.home
    added = command(home, "add", "maya")
    assert added.returncode == 0 and "billing-maya.jwk" in added.stdout and "token" in added.stdout
    minted = command(home, "token", "maya", "--minutes", "5")
    assert (minted.returncode, minted.stderr) == (0, "") and len(minted.stdout.split()) == 1
    claims = await issuer(settings).verify(minted.stdout.strip())
    assert claims["sub"] == "maya" and claims["exp"] - claims["iat"] == 300
    listed = json.loads(command(home, "list", "--json").stdout)
    assert [(one["name"], one["kid"], one["published"]) for one in listed] == [("maya", "maya", True)]
    private = secret(home / "approvers" / "billing-maya.jwk")
    removed = command(home, "remove", "maya")
    assert removed.returncode == 0 and not list((home / "approvers").iterdir())
    assert private not in added.stdout + added.stderr + minted.stdout + removed.stdout
    with pytest.raises(TokenRefused, match="unknown_key"):
        await issuer(settings).verify(minted.stdout.strip())


def test_only_the_owner_of_the_machine_can_read_a_private_key(settings: Settings) -> None:
    path = Approvers(settings).add("maya")
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "d" not in json.loads(settings.approvers_file.read_text())["keys"][0]


def test_a_taken_name_keeps_its_key(settings: Settings) -> None:
    approvers = Approvers(settings)
    before = secret(approvers.add("maya"))
    with pytest.raises(ApproverError, match="already"):
        approvers.add("maya")
    assert secret(approvers.key_file("maya")) == before


@pytest.mark.parametrize("name", ["", "Maya", "../maya", "1maya", "m" * 41, "maya\n", "máya", "a/b"])
def test_a_name_that_is_no_file_name_is_refused(settings: Settings, name: str) -> None:
    for action in (Approvers(settings).add, Approvers(settings).remove, Approvers(settings).key):
        with pytest.raises(ApproverError):
            action(name)
    assert not settings.home.exists()


def test_a_removed_approver_is_unknown_and_leaves_the_others(settings: Settings) -> None:
    approvers = Approvers(settings)
    approvers.add("maya")
    approvers.add("noor")
    approvers.remove("maya")
    assert [(one.name, one.published) for one in approvers.list()] == [("noor", True)]
    with pytest.raises(ApproverError, match=r"'maya'; the approvers: noor"):
        approvers.remove("maya")


def test_the_servers_file_stays_when_nobody_is_left(settings: Settings) -> None:
    # A running server would go on with the last keys of a file that is gone.
    approvers = Approvers(settings)
    approvers.add("maya")
    approvers.remove("maya")
    assert json.loads(settings.approvers_file.read_text()) == {"keys": []}


async def test_a_key_that_was_moved_away_still_speaks_for_its_owner(settings: Settings, tmp_path: Path) -> None:
    approvers = Approvers(settings)
    moved = approvers.add("maya").rename(tmp_path / "maya.jwk")
    approvers.add("noor")
    assert [(one.name, one.published, one.private_key_here) for one in approvers.list()] == [
        ("maya", True, False),
        ("noor", True, True),
    ]
    with pytest.raises(ApproverError, match="--key"):
        approvers.key("maya")
    with pytest.raises(ApproverError, match="already"):
        approvers.add("maya")
    minted = command(tmp_path / "elsewhere", "token", "--key", moved)
    assert (await issuer(settings).verify(minted.stdout.strip()))["sub"] == "maya"


def test_an_addition_that_was_interrupted_is_said_and_can_be_removed(settings: Settings) -> None:
    approvers = Approvers(settings)
    path = approvers.add("maya")
    path.with_name("billing-maya.public.json").unlink()  # as if it had died before it wrote this
    assert [(one.name, one.published) for one in approvers.list()] == [("maya", False)]
    approvers.remove("maya")
    approvers.add("maya")
    assert [(one.name, one.published) for one in approvers.list()] == [("maya", True)]


def test_everyone_who_is_added_at_the_same_time_is_published(settings: Settings) -> None:
    names = [f"approver-{number}" for number in range(12)]
    together = threading.Barrier(len(names))
    taken: list[str] = []

    def add(name: str) -> None:
        together.wait()
        Approvers(settings).add(name)
        try:
            Approvers(settings).add("same")
        except ApproverError:
            taken.append(name)

    threads = [threading.Thread(target=add, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(names) - 1
    assert {key["kid"] for key in json.loads(settings.approvers_file.read_text())["keys"]} == {*names, "same"}
    assert all(one.published for one in Approvers(settings).list())


@pytest.mark.parametrize("minutes", [0, -1, 59.1, float("nan"), float("inf")])
def test_no_token_lives_for_an_hour(settings: Settings, minutes: float) -> None:
    key = read_key(Approvers(settings).add("maya"))
    with pytest.raises(ApproverError, match="59"):
        mint(key, issuer="i", audience="billing", minutes=minutes)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"keys": []}', '{"kty": "OKP", "crv": "Ed25519", "d": 1}'])
def test_a_file_that_holds_no_private_key_is_named(settings: Settings, tmp_path: Path, content: str) -> None:
    path = tmp_path / "odd.jwk"
    path.write_text(content)
    refused = command(tmp_path, "token", "--key", path)
    assert refused.returncode == 1 and "odd.jwk" in refused.stderr and refused.stdout == ""
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_corrupt_public_key_is_named_and_nothing_is_added(settings: Settings) -> None:
    approvers = Approvers(settings)
    public = approvers.add("maya").with_name("billing-maya.public.json")
    published = settings.approvers_file.read_text()
    public.write_text("{")
    with pytest.raises(ApproverError, match=r"billing-maya\.public\.json is corrupt"):
        approvers.add("noor")
    assert settings.approvers_file.read_text() == published and not approvers.key_file("noor").exists()


def test_minting_needs_neither_a_server_nor_a_database() -> None:
    heavy = {"fastmcp", "sqlalchemy", "mcp", "pydantic"}
    code = f"import sys, flotilla_kit.identity.approvers; print(*{heavy} & {{*sys.modules}})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
