"""The API in this process, and as one of its own."""

from support.service_fixtures import api, case

__all__ = ["api", "case"]
