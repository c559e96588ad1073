"""Business hours: a guard for people that says when it opens next, and what a timer waits for.

Must not know records, nor timers.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils import timezone

from fsm_lifecycle.definition.guards import guard
from fsm_lifecycle.definition.member import Text

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: How far ahead the next opening is looked for. Longer closed is closed for good.
_FAR: Final = 3660

#: Days without business: dates, anything that knows ``day in holidays``, or a function of a day.
Holidays = Iterable[date | str] | Container[date] | Callable[[date], Any]


class BusinessHours:
    """When there is business: ``BusinessHours("Asia/Singapore", days="mon-fri", start="09:00", end="17:00")``.

    Among the ``guards`` of an event it denies people outside those hours, with a reason that says when it opens next.
    An event that fires by itself (``after``, ``at``) waits for the next minute that is open instead of being refused.

    - ``zone``: an IANA name, or a ``tzinfo``. Times are those of the clock on the wall there, whatever the season.
    - ``days``: ``"mon-fri"``, ``"mon,wed,sat-sun"``, or weekdays as numbers from 0 (Monday).
    - ``start``, ``end``: ``"09:00"`` or a ``time``. Open from the first, closed from the second on. ``"24:00"`` is the
      end of the day. An ``end`` before ``start`` lies on the next day; those hours belong to the day they began on.
    - ``holidays``: dates on which it does not open, anything that answers ``day in holidays``, or a function that takes
      a date and says whether it is one.
    - ``name``: what the log, the fingerprint and denials call it. ``label``: what it asks, in a few words.
    - ``clock``: a function that gives the present moment, an aware datetime; for tests. By default Django's
      ``timezone.now()``. May be set later: ``hours.clock = lambda: datetime(...)``.

    Where the clock is put back, an hour comes twice: its first counts. A time that the clock skips is as late as it
    would have been without the change.

    Raises ``ValueError`` for what cannot be read.
    """

    def __init__(
        self,
        zone: str | tzinfo,
        *,
        days: str | Iterable[int | str] = "mon-fri",
        start: str | time = "09:00",
        end: str | time = "17:00",
        holidays: Holidays = (),
        name: str = "business_hours",
        label: Text = "Within business hours",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.zone = _zone(zone)
        self.days = _days(days)
        self.start, start_whole = _time(start, "start")
        self.end, self._whole = _time(end, "end")
        if start_whole:
            raise ValueError(
                'BusinessHours(start="24:00"): that is the next day. Write "00:00" and name that day.'
            )
        if self.start == self.end and not self._whole:
            raise ValueError(
                f"BusinessHours: start and end are both {self.start:%H:%M}, so it would never open. For the whole day "
                f'write start="00:00", end="24:00".'
            )
        self._is_holiday = _holidays(holidays)
        self.clock = clock
        self.__name__ = name
        guard("Closed now.", label=label)(self)

    def __repr__(self) -> str:
        days = ",".join(_DAYS[day] for day in sorted(self.days))
        end = "24:00" if self._whole else f"{self.end:%H:%M}"
        return f"<BusinessHours {days} {self.start:%H:%M}-{end} {self.zone}>"

    def __call__(self, record: Any) -> bool | str:
        """The guard: yes, or why not."""
        now = self.now()
        opens = self.next_open(now)
        if opens == now:
            return True
        if opens is None:
            return "Closed now, and no day is known on which it opens."
        local = opens.astimezone(self.zone)
        return f"Closed now. Opens {local:%A}, {local.day} {local:%b %Y, %H:%M} ({self.zone})."

    def now(self) -> datetime:
        """The present moment by its clock."""
        return timezone.now() if self.clock is None else self.clock()

    def is_open(self, moment: datetime | None = None) -> bool:
        """Whether there is business at a moment, by default now."""
        moment = self.now() if moment is None else moment
        return self.next_open(moment) == moment

    def next_open(self, moment: datetime | None = None) -> datetime | None:
        """The first open moment from ``moment`` (by default now) on: that itself, if it is open.

        ``None`` when it does not open within ten years.
        """
        moment = self.now() if moment is None else moment
        for opens, closes in self._shifts(moment.astimezone(self.zone).date() - timedelta(days=1)):
            if moment < closes:
                return max(moment, opens)
        return None

    def _shifts(self, first: date) -> Iterator[tuple[datetime, datetime]]:
        """From a day on, when it opens and when it closes, in UTC: differences there are real ones."""
        for ahead in range(_FAR):
            day = first + timedelta(days=ahead)
            if day.weekday() in self.days and not self._is_holiday(day):
                over = self._whole or self.end < self.start
                opens = self._at(day, self.start)
                closes = self._at(day + timedelta(days=1) if over else day, self.end)
                if opens < closes:  # not so where the clock skips the whole of it
                    yield opens, closes

    def _at(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, tzinfo=self.zone).astimezone(UTC)


def _zone(zone: str | tzinfo) -> tzinfo:
    if isinstance(zone, tzinfo):
        return zone
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError, TypeError):
        raise ValueError(
            f'BusinessHours({zone!r}): there is no such time zone. Write an IANA name, "Asia/Singapore".'
        ) from None


def _days(days: str | Iterable[int | str]) -> frozenset[int]:
    found: set[int] = set()
    for part in days.split(",") if isinstance(days, str) else days:
        first, dash, last = part.strip().lower().partition("-") if isinstance(part, str) else (part, "", "")
        one = _day(first, days)
        found.update(
            (one + step) % 7 for step in range((_day(last, days) - one) % 7 + 1)
        ) if dash else found.add(one)
    if not found:
        raise ValueError('BusinessHours(days=...) names no day. Write days="mon-fri".')
    return frozenset(found)


def _day(name: str | int, days: Any) -> int:
    if isinstance(name, int) and name in range(7):
        return name
    if isinstance(name, str) and len(name.strip()) >= 3:
        for number, day in enumerate(
            ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
        ):
            if day.startswith(name.strip()):
                return number
    raise ValueError(
        f'BusinessHours(days={days!r}): {name!r} is no weekday. Write "mon-fri" or "mon,wed,sat-sun".'
    )


def _time(value: str | time, what: str) -> tuple[time, bool]:
    """A time of day, and whether it is the end of the day."""
    if isinstance(value, time):
        return value.replace(tzinfo=None), False
    if value == "24:00":
        return time(0), True
    try:
        return time.fromisoformat(value).replace(tzinfo=None), False
    except (TypeError, ValueError):
        raise ValueError(f'BusinessHours({what}={value!r}): write a time of day, "09:00".') from None


def _holidays(holidays: Any) -> Callable[[date], bool]:
    if callable(holidays):
        return lambda day: bool(holidays(day))
    if isinstance(holidays, Iterable) and not isinstance(holidays, str) and not hasattr(holidays, "keys"):
        dates = frozenset(_date(one) for one in holidays)
        return dates.__contains__
    if isinstance(holidays, Container) and not isinstance(holidays, str):
        return lambda day: day in holidays
    raise ValueError(f"BusinessHours(holidays={holidays!r}): give dates, or a function that takes a date.")


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"BusinessHours(holidays=...): {value!r} is no date.") from None
