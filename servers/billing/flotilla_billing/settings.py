"""Settings of the billing server."""

from typing import ClassVar

from flotilla_kit.settings import ServerSettings
from pydantic import Field


class Settings(ServerSettings):
    server: ClassVar[str] = "billing"

    refund_max_age_days: int | None = Field(
        default=None, ge=1, description="refuse refunds of charges older than this; without it there is no limit"
    )
    refund_approval_above_minor: int = Field(
        default=5000,
        ge=0,
        le=5000,  # can be tightened, never loosened
        description="a person approves refunds that bring a charge, or a customer's day, above this in its currency",
    )
