"""What people have sent with a form: its fields, and that it is of their session."""

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from ..errors import Failure
from .sessions import Session

FORM_TOKEN = "form_token"
_MOST_FIELDS = 400


async def _checked(request: Request) -> dict[str, str]:
    """The fields of a form, by name; the last one of a name counts.

    Raises:
        Failure: `stale_form`: it is of another session, or of none. `invalid_arguments`: it has too many fields.
    """
    session: Session = request.state.session
    try:
        pairs = parse_qsl((await request.body()).decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Failure("invalid_arguments", f"A form has {_MOST_FIELDS} fields at most.") from None
    # Browsers send every line end as CRLF.
    fields = {name: value.replace("\r\n", "\n") for name, value in pairs}
    if not session.owns(fields.pop(FORM_TOKEN, "")):
        message = "That form is of another session: you have signed in or out since it was shown."
        raise Failure("stale_form", message, "Go back, load the page again, and send it once more.")
    return fields


Form = Annotated[dict[str, str], Depends(_checked)]
