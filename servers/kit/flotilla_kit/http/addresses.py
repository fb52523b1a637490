"""Where a server listens over HTTP."""

import socket
from ipaddress import ip_address

from ..settings import parse_address
from .limits import HttpLimits

__all__ = ["is_loopback", "listen", "parse_address"]


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
