"""Owns waiting for what MariaDB tells of who is at work: asked too often, it goes on telling the same."""

import time
from collections.abc import Callable

#: Seconds after which it is given up, and between two looks: InnoDB makes its list anew after a tenth of one.
PATIENCE, PAUSE = 120.0, 0.25


def seen_at_last(true: Callable[[], bool]) -> bool:
    """Whether it became true."""
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE)
    return True
