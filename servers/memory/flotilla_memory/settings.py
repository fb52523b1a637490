"""Settings of the memory server."""

from pathlib import Path
from typing import ClassVar

from flotilla_kit.settings import ServerSettings
from pydantic import Field

SAMPLE = Path(__file__).parent / "demo" / "knowledge"


class Settings(ServerSettings):
    server: ClassVar[str] = "memory"

    knowledge: Path | None = Field(default=None, description="folder of Markdown files to search")

    encoder: str | None = Field(
        default=None, description="search by meaning too: minilm (of the extra), or a folder with an ONNX model"
    )

    @property
    def knowledge_folder(self) -> Path | None:
        """The folder to search: the one given, else the sample with `--demo-data`."""
        return self.knowledge or (SAMPLE if self.demo_data else None)
