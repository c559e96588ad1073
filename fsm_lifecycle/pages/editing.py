"""Making and editing records. Who made one is set here, and nowhere else; the state is no part of any form.

Must not know events.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.forms import modelform_factory
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.pages.forms import PROVENANCE, LifecycleForm
from fsm_lifecycle.pages.page import LifecyclePage, RecordPage
from fsm_lifecycle.presentation.offering import offer_readable


class _Form(LifecyclePage):
    """What both share: a form class, or the names of its fields."""

    template_name = "fsm_lifecycle/pages/form.html"
    form_class: type[Any] | None = None
    fields: list[str] | None = None

    def form_type(self) -> type[Any]:
        """The form's class; made of ``fields`` where none is given."""
        if self.form_class is not None:
            return self.form_class
        if self.fields is None:
            raise TypeError(
                f"{type(self).__name__} has no form. Set form_class = ..., derived from LifecycleForm, or fields = "
                f'["..."].'
            )
        return modelform_factory(self.model, form=LifecycleForm, fields=self.fields)

    def form(self, record: Any = None) -> forms.BaseForm:
        """The form, with what was sent if something was. It offers other records as far as the user may read them."""
        kind: type[forms.ModelForm[Any]] = self.form_type()
        sent = self.request.method == "POST"
        data, files = (self.request.POST, self.request.FILES) if sent else (None, None)
        form = kind(data, files, instance=record)
        offer_readable(form, self.request.user)
        return form

    def ask(self, form: forms.BaseForm, **more: Any) -> HttpResponseBase:
        """The page with the form."""
        return self.render(form=form, multipart=form.is_multipart(), **more)

    def next_address(self, record: Any) -> str:
        """Where to go when the record is saved: to its own page."""
        own = getattr(record, "get_absolute_url", None)
        return self.address("detail", record) or (own() if own else "") or self.address("list") or "/"


class LifecycleCreateView(_Form):
    """Makes a record in its initial state. ``created_by`` becomes the user, whatever was sent."""

    needs: ClassVar[CRUD] = CRUD.CREATE

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The empty form."""
        self.require(CRUD.CREATE)
        return self._ask(self.form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Make the record, or show what is wrong with what was typed."""
        self.require(CRUD.CREATE)
        form: Any = self.form()
        if any(field.name == PROVENANCE for field in self.model._meta.concrete_fields):
            form.instance.created_by = request.user
        if not form.is_valid():
            return self._ask(form)
        record = form.save()
        self.say(f"{_named(record, self.kind)} was created.")
        return HttpResponseRedirect(self.next_address(record))

    def _ask(self, form: forms.BaseForm) -> HttpResponseBase:
        return self.ask(
            form, page_title=f"New {self.kind}", submit=f"Create {self.kind}", back=self.address("list")
        )


class LifecycleUpdateView(_Form, RecordPage):
    """Edits a record's fields. Its state stays what it is."""

    needs: ClassVar[CRUD] = CRUD.UPDATE

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The form with the record's values."""
        return self._ask(self.form(self.load()))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Save the record, or show what is wrong with what was typed."""
        form: Any = self.form(self.load())
        if not form.is_valid():
            return self._ask(form)
        record = form.save()
        self.say(f"{_named(record, self.kind)} was saved.")
        return HttpResponseRedirect(self.next_address(record))

    def _ask(self, form: forms.BaseForm) -> HttpResponseBase:
        back = self.address("detail", self.record)
        return self.ask(form, page_title=f"Edit {self.kind}", submit=f"Save {self.kind}", back=back)


def _named(record: Any, kind: str) -> str:
    """A record as sentences begin with it: ``Invoice 7``, or ``Invoice F-12``."""
    name = str(record)
    return name if kind.lower() in name.lower() else f"{kind[:1].upper()}{kind[1:]} {name}"
