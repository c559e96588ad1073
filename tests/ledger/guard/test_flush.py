"""``flush`` removes the log only where that is meant."""

from __future__ import annotations

import pytest

from tests.ledger.guard.shopping import Shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GUARDED = {"unrelated": "passes", "illegal": "refused", "log": "refused"}
FLUSH = "command flush --no-input"


def test_flush_outside_a_test_run(shop: Shop) -> None:
    stays = {"SHOP_STAYS": "1"}
    empty = shop.steps("titled", "migrate", FLUSH, "missing", "make", "fire close", "entries", **stays)
    assert empty == ["done", "", [], "passes", "passes", 2]
    refused = shop.run("-m", "django", "flush", "--no-input", SHOP_STAYS="1")
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert "--purge-lifecycle-log" in refused.stderr
    assert "lifecycle_export" in refused.stderr
    assert "Traceback" not in refused.stderr
    purge = f"{FLUSH} --purge-lifecycle-log"
    purged = shop.steps("titled", "entries", FLUSH, "entries", "look", purge, "entries", "missing", **stays)
    assert purged[0] == purged[2] == 2
    assert purged[1].startswith("2: ")
    assert purged[3:] == [GUARDED, "", 0, []]
    again = shop.steps("titled", "make", "fire close", "entries", "look", "run_sqlflush", "entries", **stays)
    assert again[:4] == ["passes", "passes", 2, GUARDED]
    # Its statements know no gate. On MariaDB they are TRUNCATE, which is refused in the server's own words.
    assert again[4] == "refused" or "Cannot truncate" in again[4]
    assert again[5] == 2
