"""The programs of a Kubernetes control plane, built from Debian's sources of 1.20 with Debian's Go.

Once, into the user's cache folder: about 10 minutes and 4 GB on two idle cores, of which 400 MB are kept. Nothing is
installed: what is missing of Go, etcd and the like is unpacked there, too.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import platformdirs

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")
VERSION = "1.20"
_PACKAGES = ("golang-go", "dpkg-dev", "etcd-server")
_NEWER = "golang-github-modern-go-reflect2-dev"
"""In place of the copy in the sources, which with Go 1.18 and later ends the server at the first custom resource."""
_REFLECT = "github.com/modern-go/reflect2"
_SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d"))
_STAMPED = "k8s.io/kubernetes/vendor/k8s.io/component-base/version"
_BUILT = ("kube-apiserver", "kube-controller-manager")
_FETCH_S, _BUILD_S = 900, 3600


class NoControlPlane(Exception):
    """There is none here and none can be built; the message says what is missing."""


def search_path() -> str:
    """The `PATH` on which the programs are, of this machine's own or built before."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), *_found_in(_folder())))


def missing() -> list[str]:
    """Those of the programs that are not there yet."""
    return [name for name in PROGRAMS if shutil.which(name, path=search_path()) is None]


def build() -> None:
    """Build the programs.

    Raises:
        NoControlPlane: it takes Debian's packages and the sources of 1.20, and they are not to be had.
        RuntimeError: the build failed.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NoControlPlane(f"PATH has no {', '.join(missing())}, and only on Debian they can be built")
    folder = _folder()
    _clear(folder)  # what a build that was killed left
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _compile(folder, _fetch(folder))
    finally:
        _clear(folder)


def _folder() -> Path:
    return platformdirs.user_cache_path("flotilla") / f"kubernetes-{VERSION}"


def _clear(folder: Path) -> None:
    for each in ("apt", "source", "go", "cache"):
        shutil.rmtree(folder / each, ignore_errors=True)


def _found_in(folder: Path) -> list[str]:
    return [str(folder / "bin"), str(folder / "debian" / "usr" / "bin")]


def _fetch(folder: Path) -> Path:
    """The folder of the sources; the packages that it takes are unpacked beside it."""
    apt, debian = folder / "apt", folder / "debian"
    (apt / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (apt / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    (apt / "sources").mkdir(exist_ok=True)
    for file in _source_lists():
        said = re.sub(r"^Types:.*", "Types: deb deb-src", file.read_text(), flags=re.MULTILINE)
        said = re.sub(r"^deb (.*)", r"deb \1\ndeb-src \1", said, flags=re.MULTILINE)
        (apt / "sources" / file.name).write_text(said)
    options = {
        "Dir::Etc::SourceList": "/dev/null", "Dir::Etc::SourceParts": str(apt / "sources"),
        "Dir::State::Lists": str(apt / "lists"), "Dir::Cache": str(apt / "cache"), "Debug::NoLocking": "1",
        "APT::Sandbox::User": "", "APT::Install-Recommends": "0", "APT::Update::Error-Mode": "any",
    }  # fmt: skip
    command = ["apt-get", "-q", "-y", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    _fetched([*command, "update"], apt)
    _fetched([*command, "install", "--download-only", *_PACKAGES], apt)
    _fetched([*command, "source", "--download-only", "kubernetes"], apt)
    _fetched([*command, "download", _NEWER], apt / "cache" / "archives")  # also where it is installed
    for package in (apt / "cache" / "archives").glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, debian], check=True, timeout=_FETCH_S)
    described = next(apt.glob("kubernetes_*.dsc"))
    if not described.name.startswith(f"kubernetes_{VERSION}."):
        raise NoControlPlane(f"here are the sources {described.name}, and not those of {VERSION}")
    source = folder / "source" / "kubernetes"
    source.parent.mkdir(exist_ok=True)
    unpack = ["dpkg-source", "--no-check", "-x", str(described), str(source)]
    _run(unpack, apt, {"PERL5LIB": str(debian / "usr" / "share" / "perl5")}, _FETCH_S)
    copy = source / "vendor" / _REFLECT
    shutil.rmtree(copy)
    shutil.copytree(debian / "usr" / "share" / "gocode" / "src" / _REFLECT, copy)
    return source


def _source_lists() -> Iterator[Path]:
    file, more = _SOURCES
    if file.is_file():
        yield file
    yield from (*more.glob("*.list"), *more.glob("*.sources"))


def _compile(folder: Path, source: Path) -> None:
    built, tree = folder / "bin", folder / "go" / "src" / "k8s.io" / "kubernetes"
    tree.parent.mkdir(parents=True, exist_ok=True)
    tree.symlink_to(source)
    go = {"GO111MODULE": "off", "GOPATH": str(folder / "go"), "GOCACHE": str(folder / "cache"), "CGO_ENABLED": "0"}
    environment = {**go, "GOFLAGS": "", "PWD": str(tree)}  # it has to know itself by the path inside GOPATH
    # The package leaves out one generated file, the OpenAPI definitions.
    generator = folder / "go" / "openapi-gen"
    _run(["go", "build", "-o", str(generator), "./vendor/k8s.io/kube-openapi/cmd/openapi-gen"], tree, environment)
    _run(
        [
            str(generator), "--input-dirs", ",".join(sorted(_described(source))),
            "--output-base", str(folder / "go" / "src"), "--output-package", "k8s.io/kubernetes/pkg/generated/openapi",
            "--output-file-base", "zz_generated.openapi", "--report-filename", str(folder / "go" / "violations"),
            "--go-header-file", "hack/boilerplate/boilerplate.generatego.txt",
        ],
        tree,
        environment,
    )  # fmt: skip
    major, minor = VERSION.split(".")
    stamp = f"-X {_STAMPED}.gitMajor={major} -X {_STAMPED}.gitMinor={minor} -X {_STAMPED}.gitVersion=v{VERSION}.2"
    packages = [f"./cmd/{name}" for name in _BUILT]
    _run(["go", "build", "-ldflags", stamp, "-o", f"{folder / 'go' / 'bin'}{os.sep}", *packages], tree, environment)
    built.mkdir(exist_ok=True)
    for name in _BUILT:
        (folder / "go" / "bin" / name).replace(built / name)


def _described(source: Path) -> set[str]:
    """The packages whose types are in the OpenAPI definitions."""
    found: set[str] = set()
    staging = source / "staging" / "src" / "k8s.io"
    for base, prefix in ((source / "pkg", "pkg"), (staging, "vendor/k8s.io")):
        for file in base.rglob("*.go"):
            said = file.relative_to(base).parent
            if said.parts and said.parts[0] in ("sample-apiserver", "code-generator"):
                continue
            if re.search(rb"^// \+k8s:openapi-gen=true", file.read_bytes(), re.MULTILINE):
                found.add(f"k8s.io/kubernetes/{prefix}/{said.as_posix()}")
    return found


def _fetched(command: Sequence[str], folder: Path) -> None:
    try:
        _run(command, folder, {}, _FETCH_S)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        raise NoControlPlane(f"Debian's packages are not to be had: {str(error)[-600:]}") from None


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float = _BUILD_S) -> None:
    """Raises RuntimeError with what it said."""
    given = {**os.environ, "PATH": search_path(), "LC_ALL": "C.UTF-8", **environment}
    done = subprocess.run(
        command, cwd=folder, env=given, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:3])}…: {(done.stdout + done.stderr)[-2000:]}")
