"""Owns the page on which everything that tells of a person is erased: find, see how much it is, confirm.

The whole log is read for it, so above a size the command does it. Must not know what tells of a person.
"""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from fsm_lifecycle.access.person import find_person, person_of
from fsm_lifecycle.admin.section import search
from fsm_lifecycle.admin.section.granting import Looking, Unjudged
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.engine.erasure import Erasure, Redacted
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger.entry import TransitionLog

#: Up to how many entries are read while the request waits.
AT_ONCE: Final = 100_000
#: Up to how many entries are rewritten while it waits.
REWRITTEN_AT_ONCE: Final = 5_000
#: How many places that had to stay are named.
NAMED: Final = 10


class PersonForm(Unjudged):
    """Whom it is about, and why."""

    find_person = Looking()
    person = forms.CharField(max_length=255, required=False)
    reason = forms.CharField(
        max_length=500, error_messages={"required": "The log needs a reason. Say why, without the name."}
    )


class RedactPersonPage(Page):
    """Erasing what tells of a person."""

    name = "redact_person"
    route = "ledger/redact/person/"
    permission = "fsm_lifecycle.redact_entries"
    title = "Redact a person"
    under = "ledger"
    template_name = "admin/fsm_lifecycle/section/redact_person.html"
    form: PersonForm | None = None
    preview: Redacted | None = None
    chosen: Any = None

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.users = router.db_for_read(get_user_model())
        self.using = router.db_for_write(TransitionLog)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form = PersonForm(request.POST)
        do = request.POST.get("do")
        if do == "find":
            form.leave_unjudged()
        elif form.is_valid() and self._choose(form):
            if self._too_much():
                return self.render_to_response(self.get_context_data())
            self.preview = self._erase(form, dry_run=True)
            if do == "redact" and self._finds() and not self._too_much():
                done = self._erase(form, dry_run=False)
                if done is not None:
                    self._tell(done)
                    return HttpResponseRedirect(self.url("ledger"))
        return self.render_to_response(self.get_context_data())

    def _choose(self, form: PersonForm) -> bool:
        """Take the user that was chosen; else who has exactly this key or name, which may be nobody's any more."""
        user = search.chosen(form.cleaned_data["person"], self.users, groups=False)
        try:
            if user is not None:
                self.chosen, self.named = person_of(user), search.offer(user).label
            elif form.cleaned_data["find_person"]:
                self.chosen = find_person(form.cleaned_data["find_person"])
                self.named = self.chosen.names[0] if self.chosen.names else f"the user {self.chosen.id}"
            else:
                form.add_error("person", "Choose who it is: write a part of the name and find it.")
        except (LifecycleError, OverflowError) as error:
            form.add_error(
                "person", str(error) if isinstance(error, LifecycleError) else "There is no such user."
            )
        return self.chosen is not None

    def _erase(self, form: PersonForm, *, dry_run: bool) -> Redacted | None:
        try:
            erasure = Erasure(
                reason=form.cleaned_data["reason"], by=self.request.user, using=self.using, dry_run=dry_run
            )
            return erasure.of_person(self.chosen)
        except LifecycleError as error:
            form.add_error(None, str(error))
            return None

    def _tell(self, done: Redacted) -> None:
        messages.success(
            self.request,
            f"Erased for good: {_many(done.fields, 'field', 'fields')} in {_many(done.entries, 'entry', 'entries')}, "
            f"{_many(done.copies, 'copy', 'copies')}. Every proof still holds.",
        )
        if done.stays:
            more = f" And {len(done.stays) - NAMED:,} more." if len(done.stays) > NAMED else ""
            messages.warning(
                self.request,
                f"{len(done.stays):,} places name the person and had to stay: {'; '.join(done.stays[:NAMED])}.{more}",
            )

    def _finds(self) -> bool:
        return self.preview is not None and bool(self.preview.entries or self.preview.copies)

    def _too_much(self) -> bool:
        """Whether the command has to do it."""
        if self.preview is not None and self.preview.entries > REWRITTEN_AT_ONCE:
            return True
        newest = TransitionLog.objects.using(self.using).aggregate(newest=Max("pk"))["newest"] or 0
        return bool(newest > AT_ONCE)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = self.form or PersonForm()
        text = (form["find_person"].value() or "").strip()
        offers, more = search.find(text, self.users, groups=False) if text else ([], False)
        taken = form["person"].value() or ""
        if taken and taken not in {one.value for one in offers}:
            user = search.chosen(taken, self.users, groups=False)
            offers = [*([search.offer(user)] if user is not None else []), *offers]
        return {
            **super().get_context_data(**kwargs),
            "form": form,
            "offers": offers,
            "more_offers": more,
            "taken": taken,
            "errors": form.errors.get("person"),
            "preview": self.preview,
            "stays": self.preview.stays[:NAMED] if self.preview else [],
            "named": getattr(self, "named", ""),
            "chosen": self.chosen,
            "too_much": self.chosen is not None and self._too_much(),
            "ledger_url": self.url("ledger"),
        }


def _many(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"
