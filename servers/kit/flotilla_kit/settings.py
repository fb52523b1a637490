"""Settings of a server: flags over environment over file; an unknown name is an error, never ignored."""

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

MANDATE_VARIABLE = "FLOTILLA_MANDATE"
MOST_TIMEOUT_S = 600  # that a call may take, whatever is set or declared


class SettingsError(Exception):
    """The settings cannot be used; the message is for a person and names the setting and the fix."""


def default_home() -> Path:
    """`FLOTILLA_HOME`, else the platform's data folder for the user."""
    return Path(os.environ.get("FLOTILLA_HOME") or platformdirs.user_data_path("flotilla"))


class ServerSettings(BaseSettings):
    """What every server can be told. A server's own class adds fields and sets `server`, its name.

    A setting `database_url` of the billing server is the flag `--database-url`, the variable
    `FLOTILLA_BILLING_DATABASE_URL`, or `database_url` in `billing.toml` (see `load`).
    """

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_by_name=True,
        validate_by_alias=True,
        enable_decoding=False,  # lists are comma-separated, see _separate
    )
    server: ClassVar[str]

    home: Path = Field(
        default_factory=default_home,
        validation_alias="FLOTILLA_HOME",
        description="folder for local data",
    )
    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL address; without it a SQLite file in the home folder is used",
    )
    read_only: bool = Field(default=False, description="offer no tool that changes anything")
    tools: tuple[str, ...] | None = Field(default=None, description="offer only these tools, comma-separated")
    demo_data: bool = Field(default=False, description="load the sample company into an empty store")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="how much to log")

    mandate: SecretStr | None = Field(
        default=None,
        validation_alias=MANDATE_VARIABLE,
        description="the token of whoever calls over stdio (no flag); without one it is the owner",
    )
    mandate_keys: str | None = Field(default=None, description="JWKS file or URL of the issuer of workers' mandates")
    mandate_issuer: str = Field(default="flotilla", description="`iss` of mandates")
    approver_keys: str | None = Field(
        default=None, description="JWKS file or URL of the approvers' issuer (default: those of `approvers add`)"
    )
    approver_issuer: str | None = Field(default=None, description="`iss` of approvers' tokens of an issuer of your own")
    approver_subjects: tuple[str, ...] = Field(
        default=(), description="who of that issuer may approve, comma-separated"
    )
    audience: str | None = Field(default=None, description="`aud` of tokens for this server (default: its name)")
    token_algorithms: tuple[str, ...] = Field(default=("EdDSA",), description="signatures accepted, comma-separated")
    public_url: str | None = Field(default=None, description="where clients reach this server, if it is behind a proxy")
    allowed_hosts: tuple[str, ...] = Field(default=(), description="further Host names to answer, comma-separated")
    approval_expires_hours: float = Field(
        default=24, gt=0, le=24 * 30, description="how long an approval can be given, and then used"
    )
    workers: int = Field(default=1, ge=1, le=64, description="processes that serve, over HTTP")
    calls_per_second: float = Field(default=20, gt=0, le=1e6, description="of each caller with a token; bursts of 5 s")
    tool_timeout_s: float = Field(
        default=30,
        gt=0,
        le=MOST_TIMEOUT_S,
        description="how long a call may take (default: 30, and longer for tools that declare it)",
    )
    answer_bytes: int = Field(default=262_144, ge=1024, description="the largest answer of a tool")
    audit_anchor: Path | None = Field(
        default=None,
        description="file that the audit's head is appended to; keep it where this server cannot rewrite it",
    )
    metrics_http: str | None = Field(
        default=None,
        description="HOST:PORT at which /metrics is served for Prometheus, to whoever reaches it; port 0 takes a free "
        "one",
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.model_config["env_prefix"] = f"FLOTILLA_{cls.server.upper()}_"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @field_validator("tools", "approver_subjects", "token_algorithms", "allowed_hosts", mode="before")
    @classmethod
    def _separate(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.startswith("["):
            return json.loads(value)
        return [part.strip() for part in value.split(",") if part.strip()]

    @property
    def approvers_issuer(self) -> str:
        """`iss` of approvers' tokens: the configured issuer's, else our own."""
        return self.approver_issuer or f"flotilla-{self.server}-approvers"

    @property
    def approvers_file(self) -> Path:
        """The public keys of those whom `approvers add` named."""
        return self.home / f"{self.server}-approvers.json"

    @classmethod
    def load(cls, flags: Mapping[str, Any] | None = None, file: Path | None = None) -> Self:
        """Read flags, environment and file.

        Args:
            flags: values given on the command line, by field name.
            file: a TOML file; by default `SERVER.toml` in the home folder, if it is there.

        Raises:
            SettingsError: a value is wrong, or a name is unknown (the closest known one is named).
        """
        given = dict(flags or {})
        path = file or Path(given.get("home") or default_home()) / f"{cls.server}.toml"
        if file and not file.is_file():
            raise SettingsError(f"there is no settings file {file}")
        problems = cls._unknown_variables()
        if problems:
            raise SettingsError("\n".join(problems))

        class FromFile(cls):
            model_config = SettingsConfigDict(toml_file=path)

        try:
            return cast(Self, FromFile(**given))
        except ValidationError as error:
            raise SettingsError("\n".join(cls._explain(error, path))) from None
        except ValueError as error:
            raise SettingsError(f"{path} cannot be read: {error}") from None

    @classmethod
    def _unknown_variables(cls) -> list[str]:
        prefix = cls.model_config.get("env_prefix", "")
        known = [f"{prefix}{name}".upper() for name in cls.model_fields]
        return [
            f"unknown setting {name} in the environment{closest(name, known)}"
            for name in sorted(os.environ)
            if name.upper().startswith(prefix.upper()) and name.upper() not in known
        ]

    @classmethod
    def _explain(cls, error: ValidationError, path: Path) -> list[str]:
        lines: list[str] = []
        for problem in error.errors(include_url=False, include_input=False):
            name = ".".join(str(part) for part in problem["loc"])
            if problem["type"] == "extra_forbidden":
                lines.append(f"unknown setting {name} in {path}{closest(name, list(cls.model_fields))}")
            else:
                lines.append(f"setting {name}: {problem['msg']}")
        return lines


def parse_address(text: str, setting: str = "--http") -> tuple[str, int]:
    """`HOST:PORT`; port 0 takes a free one.

    Raises:
        SettingsError: it is not an address.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"{setting} takes HOST:PORT, for example 127.0.0.1:8101; {text!r} is not that")
    return host, int(port)


def closest(name: str, known: list[str]) -> str:
    """`; did you mean X?` for the nearest known name, or an empty string."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""
