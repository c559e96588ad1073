"""Owns the purge of very many records, as an errand: page by page, each record in a transaction of its own.

Goes on behind the last record it tried. Must not know when a record may go, nor how it goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.dispatch.kinds import GiveUp
from fsm_lifecycle.engine import errands
from fsm_lifecycle.engine.binding import SINCE
from fsm_lifecycle.engine.eligibility import count_eligible, eligible_page, retained
from fsm_lifecycle.engine.errand import Errand
from fsm_lifecycle.engine.errands import Carrying, Ended
from fsm_lifecycle.engine.retention import PurgeOutcome, PurgeResult, purge_some

KIND: Final = "purge"
RIGHT: Final = "fsm_lifecycle.purge_records"
#: How many records are tried before the result is written.
PAGE: Final = 10
#: How many records a result names of each sort.
NAMED: Final = 15
#: Up to how many records are counted before.
COUNTED: Final = 100_000


def order(model: Any, *, user: Any, using: str, reason: str, redact_bodies: bool, as_of: datetime) -> Errand:
    """Have everything of a model purged that its retention lets go as of a moment."""
    errand = errands.ask(
        KIND,
        user,
        using=using,
        model_label=model._meta.label_lower,
        payload={"reason": reason, "redact": redact_bodies, "as_of": as_of.isoformat()},
        total=count_eligible(model, using=using, now=as_of, limit=COUNTED),
    )
    errands.begin(errand)
    return errand


def _do(carrying: Carrying) -> None:
    errand, using = carrying.errand, carrying.using
    model: Any = next((one for one in retained() if one._meta.label_lower == errand.model_label), None)
    if model is None:
        raise GiveUp(f"The lifecycle of {errand.model_label} has no retention any more.")
    as_of = datetime.fromisoformat(errand.payload["as_of"])
    while page := eligible_page(model, using=using, now=as_of, after=_after(errand, model), size=PAGE):
        user = carrying.user()
        if not user.has_perm(RIGHT):
            raise Ended("The person who asked for it may not purge any more.")
        result = purge_some(
            page,
            by=user,
            reason=errand.payload["reason"],
            using=using,
            now=as_of,
            redact_bodies=errand.payload["redact"],
        )
        carrying.note(errand.done + len(page), result=_added(errand.result, result, _place(page)))
        carrying.look_up()


def _place(page: Sequence[Any]) -> list[str]:
    """Where a page ends, as JSON."""
    last = page[-1]
    return [getattr(last, SINCE).isoformat(), key_text(last.pk)]


def _after(errand: Errand, model: Any) -> tuple[datetime, Any] | None:
    place = errand.result.get("place")
    if place is None:
        return None
    field: Any = model._meta.pk
    while field.remote_field is not None:  # the link of a child is a key of its parent
        field = field.target_field
    return datetime.fromisoformat(place[0]), field.to_python(place[1])


def _added(found: dict[str, Any], result: PurgeResult, place: list[str]) -> dict[str, Any]:
    def named(name: str, outcomes: Sequence[PurgeOutcome]) -> list[dict[str, str]]:
        more = [{"record": one.record[:100], "reason": one.reason[:200]} for one in outcomes]
        return [*found.get(name, []), *more][:NAMED]

    return {
        "done": found.get("done", 0) + result.done,
        "failed": found.get("failed", 0) + result.failed,
        "purged": named("purged", result.purged),
        "stayed": named("stayed", result.stayed),
        "place": place,
    }


errands.register(KIND, "Purges", _do)
