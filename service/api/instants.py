"""When something happened: epoch seconds, epoch milliseconds or ISO 8601, never a guess."""

from datetime import datetime

from pydantic_core import PydanticCustomError

SECONDS = range(10**8, 10**10)
"""1973 to 2286 as epoch seconds; anything else could be another unit."""
MILLISECONDS = range(10**11, 10**13)
"""The same years as epoch milliseconds."""
CHARS_MAX = 40


def parse_instant(value: object) -> float:
    """Epoch seconds.

    Raises:
        PydanticCustomError: `timestamp_ambiguous` (unit or time zone could be several) or
            `timestamp_invalid`.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _of_number(value)
    if isinstance(value, str) and len(value) <= CHARS_MAX:
        return _of_text(value)
    raise _invalid()


def _of_number(value: float) -> float:
    if SECONDS.start <= value < SECONDS.stop:
        return float(value)
    if MILLISECONDS.start <= value < MILLISECONDS.stop:
        return value / 1000
    raise _ambiguous("is neither epoch seconds nor epoch milliseconds of the years 1973 to 2286")


def _of_text(text: str) -> float:
    if text.isdigit():
        raise _ambiguous("is digits in quotes; send a number, or ISO 8601")
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid() from None
    if instant.tzinfo is None:
        raise _ambiguous("has no time zone; append Z or an offset")
    return instant.timestamp()


def _ambiguous(why: str) -> PydanticCustomError:
    return PydanticCustomError("timestamp_ambiguous", why)


def _invalid() -> PydanticCustomError:
    return PydanticCustomError(
        "timestamp_invalid", "is not epoch seconds, epoch milliseconds or ISO 8601"
    )
