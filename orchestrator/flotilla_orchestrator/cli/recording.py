"""The recorder of a run (`--record FILE`), which writes the models' answers as a rehearsal script."""

import os
from collections.abc import Callable
from pathlib import Path

from claude_agent_sdk import Message
from flotilla_rehearsal.recorder import Recorder, RecordingError
from flotilla_rehearsal.secret_filter import SecretFilter

from ..config.config import Config
from ..errors import Failure
from ..sessions.types import Session


def open_recorder(file: Path, config: Config) -> Recorder:
    """A recorder without the secrets of this process's environment.

    Raises:
        Failure: `bad_record_file`: the file is there already, or has no folder.
    """
    named = [name for server in config.fleet.servers.values() for name in (*server.variables, *server.env)]
    try:
        return Recorder(file, SecretFilter.from_environment(os.environ, named))
    except RecordingError as error:
        raise Failure("bad_record_file", str(error), "Name a new file; nothing was started.") from error


def message_listener(recorder: Recorder) -> Callable[[Session, Message], None]:
    """Adds each message of a session to its recording."""

    def add(session: Session, message: Message) -> None:
        structured = session.output_schema is not None
        recorded = recorder.session(
            session.session_id, agent=session.agent, task=session.prompt, structured_output=structured
        )
        recorded.add(message)

    return add
