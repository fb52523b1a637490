"""Whom TLS connections of this process trust, read once: it takes 40 ms, and httpx2 does it for each of its clients."""

from functools import cache

import httpcore2


def read_once() -> None:
    """Have all clients of this process, and of its forks, trust whom the first one does."""
    once = cache(httpcore2.default_ssl_context)
    once(_trust_env=True)
    once(_trust_env=False)
    setattr(httpcore2, "default_ssl_context", once)  # noqa: B010  as tests do
