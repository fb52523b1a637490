"""Money as integer minor units with an ISO 4217 currency; text is parsed without floats."""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field

# ISO 4217:2015 active codes, without funds and metals.
_CODES = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF
    IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK
    MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR
    SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED
    VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG""".split()  # noqa: SIM905  a table reads better
)
# ISO 4217's column "minor unit" where it is not 2.
_NO_DECIMALS = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split())  # noqa: SIM905  as above
_THREE_DECIMALS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())  # noqa: SIM905  as above
_DECIMAL = re.compile(r"(-?)([0-9]{0,20})(?:\.([0-9]{0,20}))?")
MAX_MINOR = 10**12  # far above any charge, and exact in every JSON reader (2^53)


def _known(code: str) -> str:
    if code not in _CODES:
        raise ValueError("is not an ISO 4217 currency code such as USD")
    return code


Currency = Annotated[str, Field(min_length=3, max_length=3), AfterValidator(_known)]
AmountMinor = Annotated[int, Field(gt=0, le=MAX_MINOR, description="Minor units: 4900 is 49.00 USD")]


def is_currency(code: str) -> bool:
    return code in _CODES


def exponent(currency: str) -> int:
    """Digits after the decimal point: 2 for USD, 0 for JPY, 3 for KWD."""
    if currency in _NO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


class NotAnAmount(ValueError):
    """A text that `to_minor` refuses; `problem` says why without the text."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(f"{text[:40]!r} {problem}")
        self.problem = problem


def to_minor(text: str, currency: str) -> int:
    """Minor units of a plain decimal text such as `1234.50`.

    Raises:
        NotAnAmount: it is no number, or has more decimals than the currency; the message says which.
    """
    match = _DECIMAL.fullmatch(text.strip())
    sign, whole, fraction = match.groups(default="") if match else ("", "", "")
    digits = exponent(currency)
    if not whole + fraction or int(whole or 0) > MAX_MINOR:
        raise NotAnAmount(text, "is not an amount")
    fraction = fraction.rstrip("0")
    if len(fraction) > digits:
        raise NotAnAmount(text, f"has more decimals than {currency} has ({digits})")
    minor = int(f"{whole}{fraction.ljust(digits, '0')}" or "0")
    if minor > MAX_MINOR:
        raise NotAnAmount(text, "is more than any charge")
    return -minor if sign else minor


def to_text(amount_minor: int, currency: str) -> str:
    """An amount for people: `49.00 USD`, `5000 JPY`."""
    return f"{Decimal(amount_minor).scaleb(-exponent(currency)):.{exponent(currency)}f} {currency}"
