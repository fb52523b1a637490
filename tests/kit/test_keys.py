"""Signing keys and the folder that keeps, rotates and publishes them."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import jwt
import pytest
from flotilla_kit.identity.keys import KeyRing, KeyRingError, SigningKey, UnknownKey, write_jwks

# RFC 8037, appendix A.1 and A.3
RFC_KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
RFC_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
CREATE = (
    "import sys; from pathlib import Path; from flotilla_kit.identity.keys import KeyRing; "
    "print('ready', flush=True); sys.stdin.read(); "
)


def published(ring: KeyRing) -> list[str]:
    return [key["kid"] for key in json.loads(ring.public_file.read_text())["keys"]]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_named_after_its_thumbprint() -> None:
    assert SigningKey.from_jwk(RFC_KEY).kid == RFC_THUMBPRINT
    assert SigningKey.generate("alice").kid == "alice"


def test_no_key_is_named_like_a_flag() -> None:
    assert not [key.kid for key in (SigningKey.generate() for _ in range(1000)) if key.kid.startswith("-")]


def test_a_token_names_its_key_and_verifies_with_the_public_half() -> None:
    key = SigningKey.generate()
    token = key.sign({"sub": "refund-clerk"})
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "JWT", "kid": key.kid}
    assert jwt.decode(token, jwt.PyJWK(dict(key.public_jwk()))) == {"sub": "refund-clerk"}


def test_a_key_written_down_signs_as_before() -> None:
    key = SigningKey.generate("alice")
    again = SigningKey.from_jwk(key.private_jwk())
    assert again.sign({"sub": "alice"}) == key.sign({"sub": "alice"})


def test_a_key_shows_nothing_of_its_secret() -> None:
    key = SigningKey.generate()
    assert key.private_jwk()["d"] not in repr(key)
    assert "d" not in key.public_jwk()


@pytest.mark.parametrize(
    "change", [{"x": SigningKey.generate().public_jwk()["x"]}, {"crv": "Ed448"}, {"kty": "RSA"}, {"d": "AAAA"}]
)
def test_a_key_whose_parts_do_not_fit_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        SigningKey.from_jwk({**RFC_KEY, **change})


def test_a_jwks_file_takes_public_keys_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="public keys only"):
        write_jwks(tmp_path / "public.json", [SigningKey.generate().private_jwk()])
    assert list(tmp_path.iterdir()) == []


def test_the_first_key_is_made_and_published_when_it_is_asked_for(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    assert ring.list() == []
    key = ring.current()
    assert published(ring) == [key.kid]
    assert KeyRing(tmp_path / "keys").current().private_jwk() == key.private_jwk()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_can_read_a_private_key_and_everybody_the_public_ones(tmp_path: Path, umask: int) -> None:
    ring = KeyRing(tmp_path / "keys")
    before = os.umask(umask)
    try:
        key = ring.current()
    finally:
        os.umask(before)
    assert mode(ring.folder) == 0o700
    assert mode(ring.folder / f"{key.kid}.jwk") == 0o600
    assert mode(ring.public_file) == 0o644
    assert key.private_jwk()["d"] not in ring.public_file.read_text()


def test_rotation_makes_a_new_current_key_and_keeps_the_old_one_published(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    old, new = ring.current(), ring.rotate()
    assert ring.current().kid == new.kid
    assert published(ring) == [old.kid, new.kid]
    assert [(entry.kid, entry.current) for entry in ring.list()] == [(old.kid, False), (new.kid, True)]


def test_a_new_key_is_current_even_if_the_clock_was_set_back(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    old = tmp_path / f"{ring.current().kid}.jwk"
    old.write_text(json.dumps({**json.loads(old.read_text()), "created_at": "2999-01-01T00:00:00+00:00"}))
    assert ring.rotate().kid == ring.current().kid


def test_a_retired_key_is_gone_and_published_no_more(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    old, new = ring.current(), ring.rotate()
    ring.retire(old.kid)
    assert published(ring) == [new.kid]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"{new.kid}.jwk", "public.json"])


@pytest.mark.parametrize("kid", ["nobody", "../other/key", ""])
def test_retiring_an_unknown_key_names_the_known_ones(tmp_path: Path, kid: str) -> None:
    ring = KeyRing(tmp_path)
    key = ring.current()
    with pytest.raises(UnknownKey, match=key.kid):
        ring.retire(kid)
    assert published(ring) == [key.kid]


def _damages() -> dict[str, Any]:
    other = SigningKey.generate().private_jwk()
    return {
        "empty": b"",
        "not_json": b"{",
        "not_text": b"\xff\xfe\xff",
        "array": b"[]",
        "no_key": b'{"created_at": "2026-11-21T00:00:00+00:00"}',
        "key_is_text": b'{"created_at": "2026-11-21T00:00:00+00:00", "jwk": "secret"}',
        "no_time": json.dumps({"created_at": "soon", "jwk": other}).encode(),
        "key_of_another_name": json.dumps({"created_at": "2026-11-21T00:00:00+00:00", "jwk": other}).encode(),
    }


@pytest.mark.parametrize("damage", _damages().values(), ids=_damages().keys())
def test_a_corrupt_key_file_is_named_and_nothing_is_replaced(tmp_path: Path, damage: bytes) -> None:
    ring = KeyRing(tmp_path)
    path = tmp_path / f"{ring.current().kid}.jwk"
    before = ring.public_file.read_bytes()
    path.write_bytes(damage)
    for use in (ring.current, ring.rotate, ring.list, lambda: ring.retire(path.stem)):
        with pytest.raises(KeyRingError, match=path.stem):
            use()
    assert path.read_bytes() == damage
    assert ring.public_file.read_bytes() == before


@pytest.mark.parametrize("content", [None, "{", '{"keys": []}', "[]"])
def test_a_public_file_that_is_lost_or_wrong_is_written_anew(tmp_path: Path, content: str | None) -> None:
    ring = KeyRing(tmp_path)
    key = ring.current()
    ring.public_file.unlink() if content is None else ring.public_file.write_text(content)
    assert KeyRing(tmp_path).current().kid == key.kid
    assert published(ring) == [key.kid]


def test_two_processes_that_create_at_once_each_get_a_published_key(tmp_path: Path) -> None:
    script = f"{CREATE} print(KeyRing(Path({str(tmp_path / 'keys')!r})).current().kid)"
    made = race(script, processes=2)
    ring = KeyRing(tmp_path / "keys")
    assert set(made) <= set(published(ring))
    assert ring.current().kid in made
    assert {entry.kid for entry in ring.list()} == set(made)


def test_processes_that_rotate_at_once_lose_no_key(tmp_path: Path) -> None:
    script = f"{CREATE} ring = KeyRing(Path({str(tmp_path)!r})); print(*[ring.rotate().kid for _ in range(10)])"
    made = race(script, processes=3)
    ring = KeyRing(tmp_path)
    assert len(made) == 30
    assert sorted(published(ring)) == sorted(made)
    assert {path.suffix for path in tmp_path.iterdir()} == {".jwk", ".json"}


def test_processes_that_rotate_and_retire_at_once_end_with_what_is_kept(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    kept = ring.current().kid
    race(f"{CREATE} ring = KeyRing(Path({str(tmp_path)!r})); [ring.retire(ring.rotate().kid) for _ in range(20)]", 3)
    assert published(ring) == [kept]
    assert ring.current().kid == kept


def race(script: str, processes: int) -> list[str]:
    """The words that processes print which all wait for the same start."""
    running = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.close()
    words: list[str] = []
    for process in running:
        assert process.stdout is not None
        with process.stdout as output:
            words += output.read().split()
        assert process.wait(60) == 0
    return words
