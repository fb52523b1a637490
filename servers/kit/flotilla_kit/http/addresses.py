"""Where a server listens over HTTP."""

import socket
from ipaddress import ip_address

from ..settings import SettingsError
from .limits import HttpLimits


def parse_address(text: str) -> tuple[str, int]:
    """`HOST:PORT`; port 0 takes a free one.

    Raises:
        SettingsError: it is not an address.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"--http takes HOST:PORT, for example 127.0.0.1:8101; {text!r} is not that")
    return host, int(port)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A bound socket, and the address of what will answer there.

    Raises:
        OSError: the address cannot be bound.
    """
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, HttpLimits().socket_bytes)  # its connections inherit it
    shown = f"[{host}]" if ":" in host else host
    return listener, f"http://{shown}:{listener.getsockname()[1]}"
