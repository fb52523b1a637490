"""The transcript of the Claude CLI's double: lines in the CLI's form, in its file and mirrored to the SDK."""

import json
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from claude_agent_sdk import project_key_for_directory

Json = dict[str, Any]
DEFERRED = "hook_deferred_tool"
CONTEXT = "hook_additional_context"


class Transcript:
    """What was said in a session, this process's part and what was there before."""

    def __init__(self, session_id: str, tell: Callable[..., None]) -> None:
        self._session_id, self._tell = session_id, tell
        folder = Path(os.environ["CLAUDE_CONFIG_DIR"]) / "projects" / project_key_for_directory(Path.cwd())
        self._file = folder / f"{session_id}.jsonl"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._entries: list[Json] = []
        if self._file.exists():
            self._entries = [json.loads(line) for line in self._file.read_text().splitlines()]

    def said(self, content: str | list[Json], **more: Any) -> None:
        """By the user, who also brings the results of calls."""
        self._add(type="user", message={"role": "user", "content": content}, **more)

    def answered(self, message: Json) -> None:
        self._add(type="assistant", message=message)

    def defer(self, block: Json) -> None:
        mark = {"type": DEFERRED, "toolUseID": block["id"], "toolName": block["name"], "toolInput": block["input"]}
        self._add(type="attachment", attachment=mark)

    def add_context(self, call_id: str, tool: str, text: str) -> None:
        """What a hook adds after a call."""
        mark = {"type": CONTEXT, "toolUseID": call_id, "hookName": f"PostToolUse:{tool}", "content": [text]}
        self._add(type="attachment", attachment=mark)

    def deferred(self) -> Json:
        """The call in front of which the session ended, as its `tool_use` block; empty if there is none."""
        marks = [entry["attachment"] for entry in self._entries if entry["type"] == "attachment"]
        waiting = [mark for mark in marks if mark["type"] == DEFERRED and mark["toolUseID"] not in self._results()]
        if not waiting:
            return {}
        mark = waiting[-1]
        return {"type": "tool_use", "id": mark["toolUseID"], "name": mark["toolName"], "input": mark["toolInput"]}

    def messages(self) -> list[Json]:
        """As the model is shown them; of calls without a result it is not."""
        found: list[Json] = []
        results = self._results()
        for entry in self._entries:
            if entry["type"] == "attachment" and entry["attachment"]["type"] == CONTEXT:
                mark = entry["attachment"]
                said = f"{mark['hookName']} hook additional context: {' '.join(mark['content'])}"
                found.append({"role": "user", "content": f"<system-reminder>\n{said}\n</system-reminder>"})
            if entry["type"] == "user":
                found.append(entry["message"])
            if entry["type"] == "assistant":
                blocks = [block for block in entry["message"]["content"] if block.get("id", "") in {"", *results}]
                if blocks:
                    found.append({"role": "assistant", "content": blocks})
        return found

    def _results(self) -> set[str]:
        said = [entry["message"]["content"] for entry in self._entries if entry["type"] == "user"]
        blocks: list[Json] = [block for content in said if not isinstance(content, str) for block in content]
        return {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}

    def _add(self, **entry: Any) -> None:
        last = self._entries[-1].get("uuid") if self._entries else None
        line = {"parentUuid": last, "isSidechain": False, **entry, "uuid": str(uuid.uuid4()), "cwd": str(Path.cwd())}
        line |= {"sessionId": self._session_id, "timestamp": datetime.now(UTC).isoformat(), "version": "double"}
        line |= {"userType": "external", "entrypoint": "sdk-py"}
        self._entries.append(line)
        with self._file.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._tell(type="transcript_mirror", filePath=str(self._file), entries=[line])
