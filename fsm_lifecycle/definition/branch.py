"""A branch: a target that guards choose at the moment of firing.

Must not know how guards are asked.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from fsm_lifecycle.definition.guards import Guard, as_guard


class Branch:
    """``to=Branch((needs_director, director_review), otherwise=approved)``: guards in order, first match.

    The guards are asked under the record's lock, and the log entry says which branch was taken.
    """

    __slots__ = ("cases", "otherwise")
    cases: tuple[tuple[Guard, str], ...]
    otherwise: str

    def __init__(self, *cases: tuple[Any, str], otherwise: str) -> None:
        for case in cases:
            if not (isinstance(case, tuple) and len(case) == 2 and isinstance(case[1], str)):
                raise TypeError(f"Branch takes (guard, state) pairs and otherwise=state; got {case!r}.")
        if not isinstance(otherwise, str):
            raise TypeError(f"Branch(otherwise=...) must be a state; got {otherwise!r}.")
        object.__setattr__(self, "cases", tuple((as_guard(case), state) for case, state in cases))
        object.__setattr__(self, "otherwise", otherwise)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("A Branch is frozen.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("A Branch is frozen.")

    def __copy__(self) -> Branch:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Branch:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Branch, otherwise=self.otherwise), self.cases

    @property
    def targets(self) -> tuple[str, ...]:
        """Every state it can lead to, each once, in order."""
        return tuple(dict.fromkeys([*(state for _, state in self.cases), self.otherwise]))

    def __repr__(self) -> str:
        cases = ", ".join(f"{case.name} → {state}" for case, state in self.cases)
        return f"<Branch {cases}, otherwise → {self.otherwise}>"
