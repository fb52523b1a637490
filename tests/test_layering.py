"""The arrows of ARCHITECTURE.md: who may import whom, and how long a file may be."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "flotilla_kit": ROOT / "servers" / "kit" / "flotilla_kit",
    "flotilla_billing": ROOT / "servers" / "billing" / "flotilla_billing",
    "flotilla_crm": ROOT / "servers" / "crm" / "flotilla_crm",
    "flotilla_k8s": ROOT / "servers" / "k8s" / "flotilla_k8s",
    "flotilla_memory": ROOT / "servers" / "memory" / "flotilla_memory",
    "flotilla_rehearsal": ROOT / "rehearsal" / "flotilla_rehearsal",
    "flotilla_orchestrator": ROOT / "orchestrator" / "flotilla_orchestrator",
}
SERVERS = {"flotilla_billing", "flotilla_crm", "flotilla_k8s", "flotilla_memory"}
# What a package imports besides itself, where that is not the kit alone.
IMPORTED_BY: dict[str, set[str]] = {
    "flotilla_rehearsal": set(),
    "flotilla_orchestrator": {"flotilla_kit", "flotilla_rehearsal"},
}
# Lines of a file; 400 where nothing is said.
LONGEST = {"flotilla_orchestrator": 300, "flotilla_rehearsal": 300}
# From the top down; a module may import what stands below it, not what stands above.
KIT_LAYERS = [
    {"testing"},
    {"__main__"},
    {"cli"},
    {"http", "stdio"},
    {"arguments", "exports", "imports", "server", "tools"},
    {"guard"},
    {"approvals"},
    {"effects"},
    {"audit"},
    {"identity", "storage"},
    {"telemetry", "terminal"},
    {"money", "paging"},
    {"errors", "event_loop", "schemas", "settings", "times"},
]
# Of files and folders; a server has some of them.
SERVER_LAYERS = [
    {"__main__"},
    {"server"},
    {"tools", "sql_store"},
    {"embedder", "sample"},
    {"changes", "formats"},
    {"store"},
    {"health"},
    {"knowledge", "reading"},
    {"writing"},
    {"retrieval"},
    {"cluster"},
    {"demo", "policy", "redaction"},
    {"encoding"},
    {"arguments", "models"},
    {"access", "days", "errors", "objects", "records", "schema", "settings", "statements", "values", "words"},
]
# Of files and folders.
ORCHESTRATOR_LAYERS = [
    {"__main__"},
    {"cli"},
    {"console"},
    {"service"},
    {"routing", "views"},
    {"runs"},
    {"durable"},
    {"run_request"},
    {"sessions"},
    {"fleet"},
    {"mandates"},
    {"telemetry"},
    {"journal"},
    {"config"},
    {"provider"},
    {"errors", "waits"},
]


def files(package: str) -> Iterator[Path]:
    return (path for path in PACKAGES[package].rglob("*.py") if "migrations" not in path.parts)


def imports(package: str, path: Path) -> set[str]:
    """Every module that a file imports at any depth, relative ones resolved."""
    found: set[str] = set()
    parents = [package, *path.relative_to(PACKAGES[package]).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def packages_of(modules: set[str]) -> set[str]:
    return {module.split(".")[0] for module in modules} & set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_what_they_may(package: str) -> None:
    """The scripted model imports nothing of the fleet: it is for any application of the Agent SDK."""
    allowed = {package} | IMPORTED_BY.get(package, {"flotilla_kit"})
    for path in files(package):
        assert packages_of(imports(package, path)) <= allowed, path


@pytest.mark.parametrize("package", sorted(SERVERS))
def test_a_server_imports_downwards_only(package: str) -> None:
    assert_layers(package, SERVER_LAYERS)


@pytest.mark.parametrize(
    ("package", "layers"), [("flotilla_kit", KIT_LAYERS), ("flotilla_orchestrator", ORCHESTRATOR_LAYERS)]
)
def test_rooms_import_downwards_only(package: str, layers: list[set[str]]) -> None:
    found = PACKAGES[package].iterdir()
    modules = {path.stem for path in found if path.suffix == ".py" or (path / "__init__.py").exists()} - {"__init__"}
    assert modules == set[str]().union(*layers), "every module has its layer"
    assert_layers(package, layers)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_itself_through_others(package: str) -> None:
    names = {_dotted(package, path): path for path in files(package)}
    graph = {name: imports(package, path) & set(names) - {name} for name, path in names.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" → ".join(circle.args[1]))


def _dotted(package: str, path: Path) -> str:
    parts = path.relative_to(PACKAGES[package]).with_suffix("").parts
    return ".".join([package, *(part for part in parts if part != "__init__")])


def _module_of(package: str, imported: str) -> str | None:
    """`runs` of `flotilla_orchestrator.runs.context`."""
    first, _, rest = imported.partition(".")
    return rest.split(".")[0] if first == package and rest else None


def test_the_sandbox_is_another_program_than_the_kubernetes_server() -> None:
    """The server never knows which API server it talks to; only the command starts the sandbox."""
    for path in files("flotilla_k8s"):
        inside = {_module_of("flotilla_k8s", module) for module in imports("flotilla_k8s", path)} - {None, ""}
        if "sandbox" in path.relative_to(PACKAGES["flotilla_k8s"]).parts:
            assert inside <= {"sandbox"}, path
        else:
            assert "sandbox" not in inside or path.name == "__main__.py", path


def test_a_script_is_played_without_the_sdk_and_without_pytest() -> None:
    """They are extras of flotilla-rehearsal, each for one module."""
    extras = {"recorder": {"claude_agent_sdk"}, "pytest_plugin": {"pytest"}}
    always = {"anyio", "flotilla_rehearsal", "jinja2", "pydantic", "pydantic_core", "starlette", "uvicorn", "yaml"}
    for path in files("flotilla_rehearsal"):
        needed = {module.split(".")[0] for module in imports("flotilla_rehearsal", path)} - sys.stdlib_module_names
        assert needed <= always | extras.get(path.stem, set()), path


def test_only_one_folder_knows_dbos() -> None:
    for path in files("flotilla_orchestrator"):
        knows = any(module.split(".")[0] == "dbos" for module in imports("flotilla_orchestrator", path))
        assert not knows or path.parent.name == "durable", path


def test_the_walk_of_one_call_is_as_short_as_the_architecture_page_says() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    walk = text.split("### One call, from playbook to result")[1].split("###")[0]
    paths = [PACKAGES["flotilla_orchestrator"] / name for name in re.findall(r"^\| \d+ \| `([\w/.]+)`", walk, re.M)]
    said = re.search(r"Together they are ([\d,]+) lines", walk)
    assert len(paths) > 10 and said
    lines = sum(len(path.read_text().splitlines()) for path in paths)
    assert lines < 2500
    assert abs(lines - int(said[1].replace(",", ""))) < 100, lines
    for path in paths:
        met = {_module_of("flotilla_orchestrator", name) for name in imports("flotilla_orchestrator", path)}
        assert not met & {"cli", "durable", "runs", "service", "views"}, path


def assert_layers(package: str, layers: list[set[str]]) -> None:
    above: set[str] = set()
    for layer in layers:
        for name in layer:
            path = PACKAGES[package] / f"{name}.py"
            for file in [path] if path.exists() else sorted((PACKAGES[package] / name).rglob("*.py")):
                upwards = {module for module in imports(package, file) if _module_of(package, module) in above}
                assert not upwards, f"{name}/{file.name} imports {upwards}"
        above |= layer


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_is_longer_than_a_reader_can_hold(package: str) -> None:
    for path in files(package):
        assert len(path.read_text().splitlines()) <= LONGEST.get(package, 400), path


def test_the_versions_of_all_packages_are_one() -> None:
    projects = [*ROOT.glob("servers/*/pyproject.toml"), *ROOT.glob("*/pyproject.toml")]
    versions = {line for path in projects for line in path.read_text().splitlines() if line.startswith("version = ")}
    assert versions == {'version = "0.1.0"'}


def test_no_package_index_is_named() -> None:
    words = ("pypi" + ".org", "python" + "hosted.org", "registry.npm" + "js")
    locks = [ROOT / folder / "package-lock.json" for folder in ("tests/clients", "benchmarks")]
    for path in (ROOT / "requirements.lock", *locks, ROOT / "Makefile"):
        assert not [word for word in words if word in path.read_text()], path
