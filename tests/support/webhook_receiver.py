"""A receiver of webhooks: checks signatures by itself, and answers as it is told."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from .json_server import JsonHandler

SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


@dataclass
class Received:
    """What came, in order.

    Attributes:
        answers: the statuses of the next answers; then 204.
        refused: how many had a signature that was wrong.
    """

    url: str = ""
    answers: list[int] = field(default_factory=list[int])
    accepted: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    ids: list[str] = field(default_factory=list[str])
    refused: int = 0

    def until(self, count: int, timeout_s: float = 120) -> list[dict[str, Any]]:
        """The accepted ones, once there are so many."""
        ends = time.monotonic() + timeout_s
        while len(self.accepted) < count:
            assert time.monotonic() < ends, self
            time.sleep(0.05)
        return self.accepted


def is_signed(headers: Any, body: bytes) -> bool:
    """As receivers check it (Standard Webhooks 1.0)."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(base64.b64decode(SECRET), signed, hashlib.sha256).digest()).decode()
    recent = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return recent and headers["webhook-signature"] == f"v1,{expected}"


@contextmanager
def webhook_receiver(port: int = 0) -> Generator[Received]:
    """It receives while the block lasts."""
    received = Received()

    class Handler(JsonHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.ids.append(str(self.headers["webhook-id"]))
            status = received.answers.pop(0) if received.answers else 204
            if not is_signed(self.headers, body):
                received.refused += 1
                status = 401
            if status < 300:
                received.accepted.append(json.loads(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    received.url = f"http://127.0.0.1:{server.server_port}/hooks"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
