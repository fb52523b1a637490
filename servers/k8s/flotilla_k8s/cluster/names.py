"""Names that this server leaves in clusters."""

FIELD_MANAGER = "flotilla"
"""Who owns the fields that this server applies."""
OUR_PREFIX = "flotilla.dev/"
"""Of our annotations."""
EFFECT_ANNOTATION, APPLIED_ANNOTATION = f"{OUR_PREFIX}effect", f"{OUR_PREFIX}applied"
"""On what was changed, by a patch and by an apply: hashes of the keys of the last changes, by which it is found out
whether one happened."""
