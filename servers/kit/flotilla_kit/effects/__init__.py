"""Effects: one mutation under one key, recorded with its outcome; here, or in another system."""

from .effect import REPEAT, Effect, Evaluated, IdempotencyKey, digest, outcome_unknown, record, recorded
from .external import ExternalEffects, ExternalSystem
from .external_table import ExternalEffect, external_effects

__all__ = [
    "REPEAT",
    "Effect",
    "Evaluated",
    "ExternalEffect",
    "ExternalEffects",
    "ExternalSystem",
    "IdempotencyKey",
    "digest",
    "external_effects",
    "outcome_unknown",
    "record",
    "recorded",
]
