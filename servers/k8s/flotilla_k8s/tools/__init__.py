"""What the model sees. Each tool is a line over what it reads or changes; bad input never reaches that."""

from . import contexts

TOOLS = [contexts.list_contexts]
