"""Deleting a record, after a page that asks. Its log stays.

Must not know how a record is edited.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import ProtectedError, RestrictedError
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.pages.page import RecordPage

#: Why a record stays, by the code of the error.
_WHY = {
    "legal_hold": "It is under a legal hold.",
    "stale_state": "Somebody else was at work on it. Look at it again before you decide.",
}
#: So many records are named that stand in the way.
NAMED = 5


class LifecycleDeleteView(RecordPage):
    """Asks, then deletes. What stands in the way is named."""

    template_name = "fsm_lifecycle/pages/delete.html"
    needs: ClassVar[CRUD] = CRUD.DELETE

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The question."""
        self.load()
        return self._ask()

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Delete the record, or say why it stays."""
        record = self.load()
        name = str(record)
        try:
            record.delete()
        except ProtectedError as error:
            return self._ask(sorted(map(_named, error.protected_objects)))
        except RestrictedError as error:
            return self._ask(sorted(map(_named, error.restricted_objects)))
        except LifecycleError as error:
            return self._ask(why=_WHY.get(error.code, _WHY["stale_state"]))
        self.say(f"{name} was deleted. Its log stays.")
        return HttpResponseRedirect(self.address("list") or "/")

    def _ask(self, holding: list[str] | None = None, why: str = "") -> HttpResponseBase:
        held = holding or []
        return self.render(
            409 if held or why else 200,
            page_title=f"Delete {self.kind}",
            holding=held[:NAMED],
            more=max(0, len(held) - NAMED),
            why=why,
        )


def _named(record: Any) -> str:
    return f"{record._meta.verbose_name} {record}"
