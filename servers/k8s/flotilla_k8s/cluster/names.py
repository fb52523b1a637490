"""Names that this server leaves in clusters."""

FIELD_MANAGER = "flotilla-k8s"
"""Who owns the fields that this server applies."""
EFFECT_ANNOTATION = "flotilla.dev/effect"
"""On what was changed: a hash of the key of the last change, by which it is found out whether that happened."""
