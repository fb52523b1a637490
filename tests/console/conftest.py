"""The console in this process."""

from support.service_fixtures import api

__all__ = ["api"]
