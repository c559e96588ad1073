"""How a refusal of the database is told from its other errors. Must not know what was refused."""

from __future__ import annotations

from django.db import DatabaseError

from fsm_lifecycle.ledger.protection.trigger import REFUSAL


def is_refusal(error: BaseException) -> bool:
    """Whether one of our triggers raised this.

    MariaDB calls it OperationalError 1644, the others IntegrityError: the text is what they share.
    """
    return isinstance(error, DatabaseError) and any(REFUSAL in str(part) for part in error.args)
