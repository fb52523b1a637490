"""Settings of the CRM server."""

from datetime import UTC, date, datetime
from typing import Any, ClassVar, Literal

from flotilla_kit.settings import ServerSettings
from pydantic import Field, field_validator

from .access import allowed

SAMPLE_DAY = date(2026, 3, 31)
"""The last day of the sample company's history."""


class Settings(ServerSettings):
    server: ClassVar[str] = "crm"

    log_activity_approval: Literal["always", "never"] = Field(
        default="always", description="whether a person approves each logged activity; other changes always wait"
    )
    read_fields: tuple[str, ...] | None = Field(
        default=None, description="show only these fields, such as contact.email,deal.*; without it all"
    )
    write_fields: tuple[str, ...] | None = Field(
        default=None, description="change only these fields, such as contact.title,deal.next_step; without it all"
    )
    user: str | None = Field(default=None, description="id of the user whom get_user_info answers if none is named")
    phone_region: str | None = Field(
        default=None, pattern="^[A-Z]{2}$", description="country of phone numbers without one, such as US"
    )
    as_of: date | None = Field(
        default=None, description="the day that reviews, health and risks are made for (default: today)"
    )
    no_contact_days: int = Field(default=30, ge=1, description="risk: days without any contact (high)")
    no_inbound_days: int = Field(default=45, ge=1, description="risk: days without a word from the customer")
    slipped_times: int = Field(default=2, ge=1, description="risk: how often a close date was put off")
    stalled_days: int = Field(default=30, ge=1, description="risk: days an open deal is in one stage")
    amount_cut_percent: int = Field(default=20, ge=1, le=100, description="risk: by how much an amount was cut")
    renewal_days: int = Field(default=60, ge=1, description="risk: days before a renewal without activity")
    payment_overdue_days: int = Field(default=0, ge=0, description="risk: days that an invoice may be overdue")

    @field_validator("read_fields", "write_fields", mode="before")
    @classmethod
    def _listed(cls, value: object) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("read_fields", "write_fields")
    @classmethod
    def _fields(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        allowed(value or ())
        return value

    @property
    def today(self) -> date:
        """The day that reviews are made for: the one given, the sample's last with `--demo-data`, else today."""
        return self.as_of or (SAMPLE_DAY if self.demo_data else datetime.now(UTC).date())
