"""``adopting``: records that come into being in any state, with a reason on record.

Must not know how their entries are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_reason: ContextVar[str | None] = ContextVar("fsm_lifecycle_adopting", default=None)


@contextmanager
def adopting(reason: str) -> Iterator[None]:
    """Let records be created in any state of their lifecycle: ``with adopting("import from the old system"):``.

    Each gets an entry of the kind ``adopted`` with this reason, instead of ``created``. For imports and test
    factories. The reason goes into the log's body; 1 to 200 characters.
    """
    if not isinstance(reason, str) or not 0 < len(reason.strip()) <= 200:
        raise ValueError(
            'adopting(...) needs a reason of 1 to 200 characters for the log: adopting("import").'
        )
    token = _reason.set(reason)
    try:
        yield
    finally:
        _reason.reset(token)


def adoption_reason() -> str | None:
    """The reason of the innermost ``adopting`` block, or ``None`` outside."""
    return _reason.get()
