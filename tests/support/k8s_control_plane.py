"""A real Kubernetes control plane of the test run's own, on loopback: etcd, the API server with RBAC, the controllers.

The programs are those on PATH, else those that were built before: see `k8s_control_plane_build`.
"""

import secrets
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from flotilla_k8s.sandbox.certificates import self_signed

from .k8s_control_plane_build import PROGRAMS, search_path

UP_S = 120


@contextmanager
def control_plane(folder: Path) -> Generator[Path]:
    """The kubeconfig of an administrator of a new control plane, which ends with the block; `viewer.kubeconfig`, of
    somebody who may only read, is beside it. Its files and logs are in `folder`."""
    api, etcd, peers, controllers = (str(port) for port in _free_ports(4))
    users = {"admin": ("system:masters", secrets.token_hex(16)), "viewer": ("readers", secrets.token_hex(16))}
    tokens = folder / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text("".join(f'{token},{name},{name},"{group}"\n' for name, (group, token) in users.items()))
    certificate, accounts = self_signed(), rsa.generate_private_key(65537, 2048)
    private = accounts.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = accounts.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for name, content in (("tls.crt", certificate.pem), ("tls.key", certificate.key), ("sa.key", private),
                          ("sa.pub", public)):  # fmt: skip
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)
    for name, (_, token) in users.items():
        _write_kubeconfig(folder / f"{name}.kubeconfig", f"https://127.0.0.1:{api}", folder / "tls.crt", name, token)
    admin, peer = folder / "admin.kubeconfig", f"http://127.0.0.1:{peers}"
    with ExitStack() as running:
        _start(running, folder, "etcd", {
            "data-dir": str(folder / "etcd"), "listen-client-urls": f"http://127.0.0.1:{etcd}",
            "advertise-client-urls": f"http://127.0.0.1:{etcd}", "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer, "initial-cluster": f"default={peer}",
        })  # fmt: skip
        _start(running, folder, "kube-apiserver", {
            "bind-address": "127.0.0.1", "secure-port": api, "advertise-address": "127.0.0.1",
            "endpoint-reconciler-type": "none", "etcd-servers": f"http://127.0.0.1:{etcd}",
            "service-cluster-ip-range": "10.96.0.0/16", "authorization-mode": "RBAC", "anonymous-auth": "false",
            "token-auth-file": str(tokens), "tls-cert-file": str(folder / "tls.crt"),
            "tls-private-key-file": str(folder / "tls.key"), "cert-dir": str(folder),
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": str(folder / "sa.pub"),
            "service-account-signing-key-file": str(folder / "sa.key"),
        })  # fmt: skip
        with httpx2.Client(
            base_url=f"https://127.0.0.1:{api}",
            headers={"Authorization": f"Bearer {users['admin'][1]}"},
            verify=ssl.create_default_context(cafile=str(folder / "tls.crt")),
            trust_env=False,
        ) as client:
            _wait(client, "/readyz")
            flags = {
                "bind-address": "127.0.0.1", "secure-port": controllers, "kubeconfig": str(admin),
                "service-account-private-key-file": str(folder / "sa.key"), "leader-elect": "false",
            }  # fmt: skip
            said = subprocess.run([_program(PROGRAMS[2]), "--help"], capture_output=True, text=True, timeout=60)
            # Before 1.24 it also listens without TLS, on all addresses, unless told not to.
            _start(running, folder, PROGRAMS[2], {**flags, **({"port": "0"} if " --port int" in said.stdout else {})})
            _wait(client, "/api/v1/namespaces/default/serviceaccounts/default")
            client.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", json=_VIEWER).raise_for_status()
        yield admin


_VIEWER = {
    "metadata": {"name": "viewer"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}],
}


def _start(running: ExitStack, folder: Path, program: str, flags: Mapping[str, str]) -> None:
    """Start a program that ends with `running`, by its own pid."""
    with (folder / f"{program}.log").open("w") as log:
        command = [_program(program), *(f"--{name}={value}" for name, value in flags.items())]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    running.callback(process.wait, 60)
    running.callback(process.terminate)


def _program(name: str) -> str:
    found = shutil.which(name, path=search_path())
    assert found is not None
    return found


def _wait(client: httpx2.Client, path: str) -> None:
    """Return once the API server answers this path."""
    until = time.monotonic() + UP_S
    while time.monotonic() < until:
        try:
            if client.get(path).is_success:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"the control plane did not come up: {path}")


def _write_kubeconfig(file: Path, server: str, authority: Path, user: str, token: str) -> None:
    cluster = {"server": server, "certificate-authority": str(authority)}
    said = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
    }
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(said))


def _free_ports(number: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
