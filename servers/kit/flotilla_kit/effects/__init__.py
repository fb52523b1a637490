"""Effects: one mutation under one key, recorded with its outcome."""

from .effect import Effect, Evaluated, IdempotencyKey, digest, record, recorded

__all__ = ["Effect", "Evaluated", "IdempotencyKey", "digest", "record", "recorded"]
