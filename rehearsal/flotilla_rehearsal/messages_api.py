"""The Messages API: the part of a request that an answer depends on, and the blocks of an answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, JsonValue

MODEL_NAME = "rehearsal"  # what every answer says of its model
RESULT_TOOL = "StructuredOutput"  # the CLI offers it when a session asks for structured output
_NO_ANSWER = "No response requested."  # the CLI's own words between what was interrupted and the prompt to go on


class Block(BaseModel):
    """A content block of a request."""

    type: str
    text: str = ""
    id: str = ""
    tool_use_id: str = ""
    content: "str | list[Block] | None" = None
    is_error: bool | None = None


class Message(BaseModel):
    role: str
    content: str | list[Block]


class Tool(BaseModel):
    name: str
    defer_loading: bool = False  # the model does not see it yet


class MessagesRequest(BaseModel):
    """A request to the Messages API."""

    model: str = ""
    messages: list[Message]
    system: str | list[Block] = ""
    tools: list[Tool] = []
    stream: bool = False

    @property
    def task(self) -> str:
        """Text of the first user message, without the reminders the CLI may put before it."""
        first = next((message for message in self.messages if message.role == "user"), None)
        blocks = blocks_of(first.content if first else None)
        return text_of([block for block in blocks if not block.text.startswith("<system-reminder>")])

    @property
    def system_text(self) -> str:
        return text_of(blocks_of(self.system))

    @property
    def exchanges(self) -> Iterator[tuple[list[Block], list[Block]]]:
        """What the model answered so far, each answer with the reply it got."""
        answer: list[Block] = []
        reply: list[Block] = []
        for message in self.messages:
            if message.role == "assistant":
                if text_of(blocks_of(message.content)) == _NO_ANSWER:
                    continue
                if reply:
                    yield answer, reply
                    answer, reply = [], []
                answer += blocks_of(message.content)
            elif answer:  # of a user, or `system`: what hooks of the session add
                reply += blocks_of(message.content)
        if answer:
            yield answer, reply


@dataclass(frozen=True)
class Text:
    """A text block of an answer."""

    text: str


@dataclass(frozen=True)
class ToolUse:
    """A tool call of an answer."""

    id: str
    name: str
    input: dict[str, JsonValue]


def blocks_of(content: str | list[Block] | None) -> list[Block]:
    return [Block(type="text", text=content)] if isinstance(content, str) else content or []


def text_of(blocks: Sequence[Block]) -> str:
    return "\n".join(block.text for block in blocks if block.type == "text")
