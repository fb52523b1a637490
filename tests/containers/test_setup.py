"""What the one-shot service of compose.yaml makes: narrow, once, and rotated without a mandate that is refused."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from flotilla_kit.identity.auth import Authority
from flotilla_kit.identity.tokens import TokenRefused
from flotilla_kit.settings import ServerSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compose_setup", ROOT / "deploy" / "compose" / "setup.py")
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    found.LOOKED_AT_S = 0  # pyright: ignore[reportAttributeAccessIssue]  # its own
    return found


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    for name in ("data", "credentials/mandates", "credentials/approvers", "credentials/passwords"):
        (tmp_path / name).mkdir(parents=True)
    for role in ("orchestrator", "billing", "crm", "k8s", "memory"):
        (tmp_path / "credentials" / "databases" / role).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def setup(module: ModuleType, volumes: Path) -> Any:
    made = module.Setup(volumes / "data", volumes / "credentials")
    made.prepare()
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def billing(module: ModuleType, volumes: Path) -> Authority:
    """The billing server's, as compose.yaml configures it."""
    credentials = volumes / "credentials"
    settings: ServerSettings = module.settings_of("billing", volumes / "data")
    keys = {
        "mandate_keys": str(credentials / "mandates" / "public.json"),
        "approver_keys": str(credentials / "approvers" / "billing-approvers.json"),
    }
    return Authority(settings.model_copy(update=keys))


def test_a_second_time_changes_nothing(setup: Any, volumes: Path) -> None:
    before = contents(volumes)
    setup.prepare()
    assert contents(volumes) == before


def test_servers_are_given_public_keys_only(setup: Any, volumes: Path) -> None:
    setup.approver("ada")
    for name, content in contents(volumes / "credentials").items():
        if not name.startswith(("passwords/", "databases/", "approvers/approvers/")):
            assert all("d" not in key for key in json.loads(content)["keys"]), name


def test_each_role_has_a_password_of_its_own_in_a_file_for_its_owner(setup: Any, volumes: Path) -> None:
    files = list((volumes / "credentials" / "databases").glob("*/pgpass"))
    lines = [file.read_text().strip().split(":") for file in files]
    assert {line[2] for line in lines} == {"orchestrator", "billing", "crm", "k8s", "memory"}
    assert len({line[4] for line in lines}) == 5
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}  # libpq ignores wider ones


async def test_a_mandate_is_taken_before_while_and_after_the_key_rotates(
    setup: Any, module: ModuleType, volumes: Path
) -> None:
    authority = billing(module, volumes)
    old = setup.mandate("billing", ["get_invoice"])
    assert (await authority.principal(old)).kind == "worker"
    kid = setup.rotate()
    new = setup.mandate("billing", ["get_invoice"])
    authority = billing(module, volumes)
    assert [(await authority.principal(token)).subject for token in (old, new)] == ["client", "client"]
    retired = next(path.stem for path in (volumes / "data" / "keys").glob("*.jwk") if path.stem != kid)
    setup.retire(retired)
    authority = billing(module, volumes)
    assert (await authority.principal(new)).kind == "worker"
    with pytest.raises(TokenRefused):
        await authority.principal(old)


async def test_servers_know_a_new_key_before_it_signs(
    setup: Any, module: ModuleType, volumes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[set[str]] = []

    def published() -> set[str]:
        keys = json.loads((volumes / "credentials" / "mandates" / "public.json").read_bytes())["keys"]
        return {key["kid"] for key in keys}

    def look(_: float) -> None:
        signing = {path.stem for path in (volumes / "data" / "keys").glob("*.jwk")}
        known.append(published() - signing)

    monkeypatch.setattr("time.sleep", look)
    assert known == []
    kid = setup.rotate()
    assert known == [{kid}]


async def test_an_approvers_tokens_are_each_good_for_one_server(setup: Any, module: ModuleType, volumes: Path) -> None:
    setup.approver("ada")
    authority = billing(module, volumes)
    first, *others = setup.approver_tokens("ada", 5)
    assert (await authority.principal(first)).subject == "ada"
    for other in others:
        with pytest.raises(TokenRefused):
            await authority.principal(other)


def test_the_fleet_of_compose_differs_in_its_servers_alone() -> None:
    own, shared = (
        yaml.safe_load((ROOT / folder / "fleet.yaml").read_text()) for folder in ("deploy/compose", "configs")
    )
    assert set(own.pop("servers")) == set(shared.pop("servers"))
    assert own == shared
