"""A state: a stored value with a name, a tone and a place in the table.

Must not know which column stores it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, Literal, get_args

from fsm_lifecycle.definition.member import Text, in_words

Tone = Literal["new", "active", "wait", "alert", "done", "stop"]
TONES: Final[tuple[str, ...]] = get_args(Tone)

#: The longest value a state may have, in characters: the width of the state column.
MAX_VALUE_LENGTH: Final = 64


class _Default:
    def __repr__(self) -> str:
        return "7 days, never on a terminal state"


_DEFAULT: Final = _Default()
DEFAULT_STUCK_AFTER: Final = timedelta(days=7)


class State(str):
    """One state of a lifecycle. It *is* its stored value, so it compares and filters as a string.

    - ``value``: what the database stores. Explicit, so renaming the attribute needs no data migration.
    - ``label``: what people read; by default the value in words.
    - ``initial``: where new records begin. Exactly one state has it.
    - ``terminal``: final. Only a compensating event may leave it.
    - ``description``: one sentence for people who meet the state for the first time.
    - ``tone``: how it looks (``new active wait alert done stop``); by default from initial and terminal.
    - ``stuck_after``: how long a record may stay before it counts as stuck, a ``timedelta``; 7 days by
      default, never on terminal states, ``None`` for never.

    ``tone`` and ``stuck_after`` are not part of the table's fingerprint.
    """

    __slots__ = ("description", "initial", "label", "name", "stuck_after", "terminal", "tone")
    description: str
    initial: bool
    label: str
    name: str
    stuck_after: timedelta | None
    terminal: bool
    tone: str

    def __new__(
        cls,
        value: str,
        *,
        label: Text = "",
        initial: bool = False,
        terminal: bool = False,
        description: Text = "",
        tone: Tone | Literal[""] = "",
        stuck_after: timedelta | _Default | None = _DEFAULT,
    ) -> State:
        if not isinstance(value, str):
            raise TypeError(
                f"State({value!r}): the value is what the database stores and must be a string, "
                f'for example State("draft", initial=True).'
            )
        if tone and tone not in TONES:
            raise ValueError(f"State({value!r}): tone {tone!r} is unknown. Choose one of {', '.join(TONES)}.")
        if stuck_after is not None and not isinstance(stuck_after, timedelta | _Default):
            raise TypeError(
                f"State({value!r}): stuck_after must be a timedelta or None, not {stuck_after!r}."
            )
        self = super().__new__(cls, value)
        if isinstance(stuck_after, _Default):
            stuck_after = None if terminal else DEFAULT_STUCK_AFTER
        values: dict[str, Any] = {
            "name": "",
            "label": label or in_words(value),
            "initial": initial,
            "terminal": terminal,
            "description": description,
            "tone": tone or ("done" if terminal else "new" if initial else "active"),
            "stuck_after": stuck_after,
        }
        for slot, slot_value in values.items():
            object.__setattr__(self, slot, slot_value)
        return self

    def __set_name__(self, owner: type, name: str) -> None:
        if not self.name:
            object.__setattr__(self, "name", name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"State {self.value!r} is frozen: {name!r} cannot be assigned.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"State {self.value!r} is frozen: {name!r} cannot be deleted.")

    @property
    def value(self) -> str:
        """The stored value as a plain ``str``."""
        return str.__str__(self)

    def __str__(self) -> str:
        return str.__str__(self)

    def __repr__(self) -> str:
        return f"<State {self.value}>"

    def __copy__(self) -> State:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> State:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # Only the value travels: what unpickles it may run a newer table.
        return str, (self.value,)
