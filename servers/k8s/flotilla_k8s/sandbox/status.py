"""What the API answers when it refuses: a Status in the words of the real server."""

from collections.abc import Sequence

from .kinds import Kind
from .objects import Object

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class ApiError(Exception):
    """A request that was refused; the answer is `status()` with the HTTP status `code`."""

    def __init__(
        self, code: int, reason: str, message: str, details: Object | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.retry_after_s = code, reason, message, retry_after_s
        self.details = details if retry_after_s is None else {**(details or {}), "retryAfterSeconds": retry_after_s}

    def status(self) -> Object:
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        return {**status, "details": self.details} if self.details else status


def success(kind: Kind, name: str, uid: str) -> Object:
    """The Status that a delete answers with."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {**_details(kind, name), "uid": uid},
    }


def _details(kind: Kind, name: str) -> Object:
    details: Object = {"name": name} if name else {}
    return {**details, **({"group": kind.group} if kind.group else {}), "kind": kind.plural}


def cause(field: str, message: str, reason: str = "FieldValueInvalid") -> Object:
    return {"reason": reason, "message": message, "field": field}


def not_found(kind: Kind, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{kind.qualified} "{name}" not found', _details(kind, name))


def no_such_resource() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: Kind, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{kind.qualified} "{name}" already exists', _details(kind, name))


def conflict(kind: Kind, name: str, why: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(kind, name))


def stale(kind: Kind, name: str) -> ApiError:
    return conflict(kind, name, MODIFIED)


def forbidden(kind: Kind, name: str, why: str, causes: Sequence[Object] = ()) -> ApiError:
    subject = f'{kind.qualified} "{name}"' if name else kind.qualified
    details = {**_details(kind, name), **({"causes": list(causes)} if causes else {})}
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details)


def invalid(kind: Kind, name: str, causes: Sequence[Object]) -> ApiError:
    said = [f"{each['field']}: {each['message']}" for each in causes]
    listed = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    qualified = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    details: Object = {"name": name, **({"group": kind.group} if kind.group else {}), "kind": kind.kind}
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {listed}', {**details, "causes": list(causes)})


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def unsupported_media_type(supported: Sequence[str]) -> ApiError:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(supported)}"
    return ApiError(415, "UnsupportedMediaType", message, {})


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")
