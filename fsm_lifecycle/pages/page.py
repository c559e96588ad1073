"""What every page shares: who may see it, how pages find each other, what each template is told.

Must not know what a page is for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.views.generic import View

from fsm_lifecycle.access.codenames import codes_of
from fsm_lifecycle.access.current import acting_as
from fsm_lifecycle.access.policy import rights
from fsm_lifecycle.access.rights import refusal_of_crud
from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.definition.table import Table
from fsm_lifecycle.engine.binding import Binding, binding_of
from fsm_lifecycle.pages import site
from fsm_lifecycle.pages.values import Cell, cell

#: What a page is called that somebody may not see, by what it needs.
_VERBS = {CRUD.CREATE: "create", CRUD.READ: "see", CRUD.UPDATE: "edit", CRUD.DELETE: "delete"}


class NotAllowed(Exception):
    """Ends a request with the page that says why."""

    def __init__(self, what: CRUD, reason: str) -> None:
        super().__init__(reason)
        self.what = what
        self.reason = reason


class LifecyclePage(View):
    """A page about records of ``model``. Visitors are sent to log in.

    - ``template_name``: its template; the package's own by default.
    - ``url_prefix``: put before the names ``list``, ``detail``, … where several models share a namespace.
    - ``queryset``: narrows the records, beside what the user may see of them.
    """

    model: Any = None
    queryset: QuerySet[Any] | None = None
    template_name: str
    url_prefix: str = ""
    #: What one has to be allowed to do to see the page.
    needs: ClassVar[CRUD] = CRUD.READ

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As Django's; for who is logged in, in whose name everything is done."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        try:
            with acting_as(request.user):
                return super().dispatch(request, *args, **kwargs)
        except NotAllowed as refused:
            return self._not_allowed(refused)

    # What may be seen and done

    @property
    def binding(self) -> Binding:
        """The model with its table."""
        if self.model is None:
            raise ImproperlyConfigured(
                f"{type(self).__name__} has no model. Write model = Invoice in its class."
            )
        return binding_of(self.model)

    @property
    def table(self) -> Table:
        """The model's lifecycle."""
        return self.binding.table

    def records(self) -> QuerySet[Any]:
        """The records that the user may see."""
        found: Any = self.model._default_manager.all() if self.queryset is None else self.queryset.all()
        visible: QuerySet[Any] = found.visible_to(self.request.user)
        return visible

    def may(self, what: CRUD, record: Any = None) -> bool:
        """Whether the user may do this to a record, or to every record."""
        return rights(self.request.user, self.model, record).allows(what)

    def require(self, what: CRUD, record: Any = None) -> None:
        """End the request with a page that says why, unless the user may do this."""
        theirs = rights(self.request.user, self.model, record)
        if not theirs.allows(what):
            raise NotAllowed(what, refusal_of_crud(theirs, codes_of(self.model), what))

    # How pages find each other

    def address(self, page: str, record: Any = None, **more: Any) -> str:
        """The address of a page beside this one, or empty where it is not routed."""
        match = self.request.resolver_match
        spaces = match.namespaces if match is not None else []
        name = ":".join([*spaces, f"{self.url_prefix}{page}"])
        kwargs = more if record is None else {"pk": record.pk, **more}
        try:
            return reverse(name, kwargs=kwargs)
        except NoReverseMatch:
            return ""

    # What templates are told

    @property
    def kind(self) -> str:
        """``invoice``."""
        return str(self.model._meta.verbose_name)

    @property
    def kinds(self) -> str:
        """``invoices``."""
        return str(self.model._meta.verbose_name_plural)

    def context(self, **more: Any) -> dict[str, Any]:
        """What every template gets."""
        return {
            "view": self,
            "kind": self.kind,
            "kinds": self.kinds,
            "list_url": self.address("list"),
            "lifecycle_base": _base,
            "page_title": self.kinds[:1].upper() + self.kinds[1:],
            **more,
        }

    def render(self, status: int = 200, template: str = "", **more: Any) -> TemplateResponse:
        """The page."""
        name = template or self.template_name
        return TemplateResponse(self.request, name, self.context(**more), status=status)

    def say(self, text: str) -> None:
        """A message for the next page, where the project has messages."""
        messages.success(self.request, text, fail_silently=True)

    def _not_allowed(self, refused: NotAllowed) -> HttpResponseBase:
        verb = _VERBS.get(refused.what, "do this to")
        return self.render(
            403,
            "fsm_lifecycle/pages/denied.html",
            page_title="Not allowed",
            verb=verb,
            reason=refused.reason,
        )


class RecordPage(LifecyclePage):
    """A page about one record, which the route names by ``pk``.

    ``shown_fields`` are the fields whose values the page opens, in the history too; by default those that a form could
    edit.
    """

    shown_fields: list[str] | None = None
    record: Any

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """As Django's."""
        super().setup(request, *args, **kwargs)
        self.record = None

    def load(self) -> Any:
        """The record. 404 where there is none that the user may see; a page that says why where more is needed."""
        key = key_of(self.model, self.kwargs["pk"])
        self.record = self.records().filter(pk=key).first() if key is not None else None
        if self.record is None:
            raise Http404(f"There is no such {self.kind}, or you may not see it.")
        if self.needs is not CRUD.READ:
            self.require(self.needs, self.record)
        return self.record

    def opened_fields(self) -> list[str]:
        """The names of the fields whose values are shown."""
        if self.shown_fields is not None:
            return list(self.shown_fields)
        own = self.binding.own_columns
        return [f.name for f in self.model._meta.concrete_fields if f.editable and f.name not in own]

    def facts(self) -> list[Cell]:
        """The values that are shown, by the names of their fields."""
        return [cell(self.record, name) for name in self.opened_fields()]

    def context(self, **more: Any) -> dict[str, Any]:
        """What every template gets, and what concerns the record."""
        given: dict[str, Any] = {"record": self.record}
        if self.record is not None:
            given["page_title"] = str(self.record)
            given["record_url"] = self.address("detail", self.record)
        return super().context(**{**given, **more})


def key_of(model: Any, text: Any) -> Any:
    """The key that a text names, or ``None`` for what cannot be one."""
    try:
        return None if "\0" in str(text) else model._meta.pk.to_python(text)
    except ValidationError:
        return None


#: A function, so that it is asked only by a template that has no other base.
_base: Callable[[], str] = site.base_of_pages
