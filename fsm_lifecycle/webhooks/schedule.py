"""When to try again: the delays of one message, and how long an endpoint that keeps failing is left alone.

Must not know what is sent.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

#: Seconds before each try of a message, counted from the one before.
DELAYS: Final = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
#: Part of a delay by which it may be shorter or longer, so that what failed together is not tried together.
JITTER: Final = 0.2
#: The longest time that a receiver may ask for by ``Retry-After``, in seconds.
LONGEST_WAIT: Final = 86400
#: So many failures in a row pause an endpoint.
FAILURES: Final = 5
#: Seconds of each pause; the last one is repeated.
PAUSES: Final = (60, 300, 1800, 3600)
#: An endpoint without a success for so long since its first failure is disabled.
GIVEN_UP_AFTER: Final = timedelta(days=5)


def next_try(attempt: int, now: datetime, retry_after: float | None = None) -> datetime | None:
    """When a message is due again after so many tries, or ``None`` after the last."""
    if attempt >= len(DELAYS):
        return None
    delay = DELAYS[attempt] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, no secret
    return now + timedelta(seconds=max(delay, retry_after or 0))


def pause(pauses: int) -> timedelta:
    """How long an endpoint rests that was paused so many times since its last success."""
    return timedelta(seconds=PAUSES[min(pauses, len(PAUSES) - 1)])


def retry_after(value: str | None, now: datetime) -> float | None:
    """The seconds that a ``Retry-After`` header asks for (RFC 9110, 10.2.3), at most ``LONGEST_WAIT``.

    ``None`` where there is none, or none that can be read.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text) if len(text) <= 12 else float(LONGEST_WAIT)
    else:
        try:
            moment = parsedate_to_datetime(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            seconds = (moment - now).total_seconds()
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
    return min(max(seconds, 0.0), float(LONGEST_WAIT))
