"""The token by which a person proves that they may approve. No run ever holds one."""

import os
from pathlib import Path

from ..errors import Failure

TOKEN_VARIABLE = "FLOTILLA_APPROVER_TOKEN"
KEY_VARIABLE = "FLOTILLA_APPROVER_KEY"


def approver_token(server: str, audience: str, key_file: Path | None) -> str:
    """The person's own token, or one for this server that their key signs.

    Raises:
        Failure: `no_approver`: there is neither; `bad_approver_key`.
    """
    from flotilla_kit.identity.approvers import ApproverError, mint, read_key

    file = key_file or (Path(named) if (named := os.environ.get(KEY_VARIABLE)) else None)
    if file is None and (token := os.environ.get(TOKEN_VARIABLE)):
        return token
    if file is None:
        raise Failure(
            "no_approver",
            "Only an approver can do this, and there is no token or key of one here.",
            f"Make a key with `flotilla-{server} approvers add NAME` and give its file with --key or {KEY_VARIABLE}, "
            f"or a token of your issuer in {TOKEN_VARIABLE}.",
        )
    try:
        return mint(read_key(file), issuer=f"flotilla-{server}-approvers", audience=audience)
    except ApproverError as error:
        reason = str(error)
        raise Failure("bad_approver_key", f"{reason[0].upper()}{reason[1:]}.") from error
