"""Refusals that only a CRM has."""

from flotilla_kit.errors import Conflict, FlotillaError


class VersionConflict(Conflict):
    """The record is newer than the version that the caller saw; `details` say what was changed and by whom."""

    code = "version_conflict"


class DuplicateContact(Conflict):
    """There is a contact with that e-mail address."""

    code = "duplicate_contact"


class FieldNotAllowed(FlotillaError):
    """The settings, or the caller's mandate, do not let this field be written."""

    code = "field_not_allowed"
