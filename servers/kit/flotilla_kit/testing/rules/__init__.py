"""The rules of the suite, in the order in which they are checked; a file for each kind of promise."""

from . import approvals, bad_input, bounds, crashes, effects, paging, read_only, records, scopes, surface, visibility

RULES = [
    *(*surface.RULES, *visibility.RULES, *bounds.RULES, *scopes.RULES, *bad_input.RULES, *paging.RULES),
    *(*read_only.RULES, *effects.RULES, *approvals.RULES, *crashes.RULES),
    *records.RULES,  # last: they count the calls of all others
]
