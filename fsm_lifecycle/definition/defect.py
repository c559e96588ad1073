"""A defect of a definition, and how names are shown in messages. Must not know Django's check framework."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Defect:
    """One finding. ``id`` is the system check's, without the app label."""

    id: str
    message: str
    hint: str
    level: Literal["error", "warning"] = "error"


def shown(name: Any) -> str:
    """A name as messages show it: in quotes, on one line, not over 60 characters."""
    text = str(name)
    if not text.isprintable():
        text = ascii(text)[1:-1]
    return f"“{text[:57]}…”" if len(text) > 60 else f"“{text}”"


def listed(names: Iterable[Any]) -> str:
    """Names as messages list them: “a”, “b” and “c”."""
    quoted = [shown(name) for name in names]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def nearest(name: Any, known: Collection[str]) -> str:
    """``" Did you mean “draft”?"`` where something is near; else empty. For the end of a hint."""
    near = difflib.get_close_matches(str(name), [str(k) for k in known], 1, 0.6)
    return f" Did you mean {shown(near[0])}?" if near else ""
