"""docs/kit.md lists what is public: it exists, nobody imports more, and the example on the page is the file."""

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "kit.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "docs" / "examples"
Surface = dict[str, set[str]]
USERS = [
    ("ab", ROOT / "servers" / "billing" / "flotilla_billing"),
    ("ab", ROOT / "servers" / "crm" / "flotilla_crm"),
    ("ab", ROOT / "servers" / "k8s" / "flotilla_k8s"),
    ("ab", ROOT / "servers" / "memory" / "flotilla_memory"),
    ("a", EXAMPLES),
    ("c", ROOT / "orchestrator" / "flotilla_orchestrator"),
]


def listed(groups: str) -> Surface:
    """Module to names, by the tables under these groups' headings."""
    found: Surface = defaultdict(set)
    for group in groups:
        _, _, section = PAGE.partition(f"### ({group}) ")
        section = section.partition("### ")[0]
        assert section, group
        for module, names in re.findall(r"^\| `(flotilla_kit[\w.]*)` \| (.+) \|$", section, re.MULTILINE):
            found[module] |= set(re.findall(r"`(\w+)`", names))
    return found


def used(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of whatever a file takes of the kit, also by `module.name`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not [alias for alias in node.names if alias.name.startswith("flotilla_kit")], path
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "flotilla_kit":
            for alias in node.names:
                if _is_module(f"{node.module}.{alias.name}"):
                    modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                else:
                    yield str(node.module), alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


def _is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True


@pytest.mark.parametrize("group", "abc")
def test_every_public_name_exists(group: str) -> None:
    for module, names in listed(group).items():
        missing = [name for name in names if not hasattr(importlib.import_module(module), name)]
        assert not missing, f"{module} has no {missing}"


@pytest.mark.parametrize(("groups", "folder"), USERS, ids=lambda value: getattr(value, "name", value))
def test_nobody_imports_what_is_not_public(groups: str, folder: Path) -> None:
    public = listed(groups)
    for path in folder.rglob("*.py"):
        private = {f"{module}.{name}" for module, name in used(path) if name not in public.get(module, ())}
        assert not private, f"{path.relative_to(ROOT)} imports {private}"


@pytest.mark.parametrize("name", ["light_switch.py", "test_light_switch.py"])
def test_the_page_shows_the_example_as_it_is(name: str) -> None:
    assert f"```python\n{(EXAMPLES / name).read_text(encoding='utf-8').rstrip()}\n```" in PAGE


def test_the_example_has_fewer_than_60_lines() -> None:
    server, test = ((EXAMPLES / name).read_text().splitlines() for name in ("light_switch.py", "test_light_switch.py"))
    assert len(server) < 60
    assert len([line for line in [*server, *test] if line]) < 60
