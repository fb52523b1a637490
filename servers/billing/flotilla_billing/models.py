"""What billing talks about. These are the tools' answers; the rules over them are in `refunds` and `duplicates`."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

CustomerId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
TransactionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
InvoiceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
RefundId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

TransactionStatus = Literal["succeeded", "pending", "uncaptured", "failed", "canceled"]
RefundStatus = Literal["pending", "succeeded", "declined"]


class Scope(BaseModel, frozen=True):
    """What a caller may see. A record outside it does not exist for that caller."""

    customer_id: str | None = None


class PaymentMethod(BaseModel):
    """How a customer paid; refunds go back the same way."""

    kind: str
    brand: str | None = None
    last4: str | None = None


class Transaction(BaseModel):
    """One charge. Amounts in minor units of `currency`; `amount` is the same for people; times are UTC."""

    transaction_id: str
    customer_id: str
    customer_name: str | None
    created_at: str
    amount: str
    amount_minor: int
    currency: str
    status: TransactionStatus
    captured_minor: int
    refunded_minor: int
    reserved_minor: int
    description: str | None
    invoice_id: str | None
    method: PaymentMethod
    card_id: str | None
    failure_reason: str | None
    dispute_status: str | None
    settled_on: str | None
    settlement_estimated: bool

    @property
    def refundable_minor(self) -> int:
        return self.captured_minor - self.refunded_minor - self.reserved_minor


class CurrencyTotal(BaseModel):
    """Sums in one currency, in minor units."""

    currency: str
    captured_minor: int
    refunded_minor: int


class CustomerBilling(BaseModel):
    """A customer at a glance: totals for each currency and the latest charges, newest first."""

    customer_id: str
    name: str | None
    email: str | None
    transactions: int
    failed: int
    disputed: int
    totals: list[CurrencyTotal]
    latest: list[Transaction]


class Invoice(BaseModel):
    """What was charged for one invoice. The invoice's own total is not in a payments export."""

    invoice_id: str
    customer_id: str
    currency: str
    first_charged_at: str
    charges: int
    succeeded: int
    captured_minor: int
    refunded_minor: int


class InvoiceDetail(Invoice):
    """An invoice with its charges, oldest first."""

    transactions: list[Transaction]


class Reason(BaseModel):
    """Why something cannot be done."""

    code: str
    message: str


class Eligibility(BaseModel):
    """Whether a charge can be refunded; every reason against it is listed."""

    transaction_id: str
    eligible: bool
    refundable_minor: int
    currency: str
    reasons: list[Reason]


class DuplicateCharge(BaseModel):
    """A pair of charges that look alike, with what speaks for and against a duplicate. The earlier is the original."""

    original_transaction_id: str
    duplicate_transaction_id: str
    customer_id: str
    amount: str
    amount_minor: int
    currency: str
    invoice_id: str | None
    seconds_apart: int
    confidence: Literal["high", "medium", "low"]
    evidence: list[str]
    counter_evidence: list[str]


class Refund(BaseModel):
    """A refund. `pending` means that the gateway's answer is not known yet; it is found out, never repeated blindly."""

    refund_id: str
    transaction_id: str
    customer_id: str
    amount: str
    amount_minor: int
    currency: str
    reason: str
    status: RefundStatus
    decline_reason: str | None
    created_at: str
    expected_arrival: str | None
    method: PaymentMethod


class GatewayMatch(BaseModel):
    """A charge that fits what was asked, and whether it can be refunded."""

    transaction: Transaction
    refund: Eligibility


class GatewayCheck(BaseModel):
    """What the gateway knows of a charge quoted by date and amount; `read_as` says how they were understood."""

    read_as: list[str]
    matches: list[GatewayMatch]
    note: str | None = None
