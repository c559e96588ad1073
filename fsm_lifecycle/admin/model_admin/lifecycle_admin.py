"""Owns ``LifecycleAdmin``: what a model's own admin gains from its lifecycle.

The pages it adds are in the modules beside it. Must not know how they look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import flatten, flatten_fieldsets
from django.db import router, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponse, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from fsm_lifecycle.admin.model_admin import bulk_page, errand_page, event_page, history_page, record_page
from fsm_lifecycle.admin.model_admin.linking import LinkingForm
from fsm_lifecycle.admin.model_admin.relations import narrowed, readable_filter
from fsm_lifecycle.admin.model_admin.rights import RecordRights
from fsm_lifecycle.admin.model_admin.state_filter import StateFilter
from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine.binding import Binding, binding_of
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.presentation.keys import readable
from fsm_lifecycle.presentation.opened import Opened
from fsm_lifecycle.templatetags.lifecycle import lifecycle_badge

STYLES = ["fsm_lifecycle/lifecycle.css", "fsm_lifecycle/diagram.css"]


class LifecycleAdmin(RecordRights):
    """The admin of a model with a lifecycle: ``@admin.register(Invoice) class InvoiceAdmin(LifecycleAdmin)``.

    - The list shows the state as a badge, filters by it, and offers each event as an action on the records chosen.
    - A record's page begins with its state, what can be done, and why the rest cannot; it ends with the history.
    - Each event has a page of its own, which says what will happen before it happens.
    - Whoever may not read a record does not see it; the state is never a field of a form.

    What a record's page shows are the fields this admin has opened, in snapshots and arguments too.
    """

    change_form_template = "admin/fsm_lifecycle/record/change_form.html"
    change_list_template = "admin/fsm_lifecycle/record/change_list.html"

    history_length: int = 10
    """How many entries the page of a record shows."""
    own_events: tuple[str, ...] | None = None
    """The names of the events that this admin offers, or ``None`` for all of them."""

    def __init__(self, model: Any, admin_site: AdminSite) -> None:
        super().__init__(model, admin_site)
        # ``actions = None`` switches all of them off, as in Django.
        if self.actions is not None:
            offered = [_action(event) for event in self.events() if not event.hidden]
            self.actions = [*self.actions, *offered]
            self.action_form = bulk_page.asking(self.action_form)  # type: ignore[misc]

    @property
    def media(self) -> forms.Media:
        return super().media + forms.Media(css={"all": STYLES})

    @property
    def binding(self) -> Binding:
        """The model with its table."""
        return binding_of(self.model)

    def events(self) -> list[Event]:
        """The events that this admin offers, in declared order."""
        events = self.binding.table.events.values()
        return [event for event in events if self.own_events is None or event.name in self.own_events]

    # --- the list -------------------------------------------------------------------------------------------

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        shown: list[Any] = list(super().get_list_display(request))
        badge = self._badge_column()
        if self.binding.state_name in shown:
            return [badge if name == self.binding.state_name else name for name in shown]
        return [*shown, badge]

    def _badge_column(self) -> Callable[[Any], SafeString]:
        def state(record: Any) -> SafeString:
            return lifecycle_badge(record)

        # A function, not a method: its name is the column's, whatever the state field is called.
        state.short_description = "state"  # type: ignore[attr-defined]
        state.admin_order_field = self.binding.state_name  # type: ignore[attr-defined]
        return state

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        filters = [readable_filter(self.model, one) for one in super().get_list_filter(request)]
        name = self.binding.state_name
        if StateFilter in filters:
            return filters
        if name in filters:
            return [StateFilter if one == name else one for one in filters]
        return [StateFilter, *filters]

    # --- fields ---------------------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return narrowed(super().get_form(request, *args, **kwargs), request.user)

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return narrowed(super().get_changelist_form(request, **kwargs), request.user)

    def get_formsets_with_inlines(self, request: HttpRequest, obj: Any = None) -> Iterator[Any]:
        for formset, inline in super().get_formsets_with_inlines(request, obj):
            formset.form = narrowed(formset.form, request.user)
            yield formset, inline

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """What only a firing writes, and who made the record, can be shown but not typed in."""
        shown: list[Any] = list(super().get_readonly_fields(request, obj))
        own = [name for name in self._named_fields() if name in self.binding.own_columns]
        if self._has_creator():
            own.append("created_by")
        return [*shown, *(name for name in own if name not in shown)]

    def _named_fields(self) -> list[Any]:
        """The fields that the class names itself, in ``fields`` or ``fieldsets``."""
        if self.fieldsets:
            return flatten_fieldsets(self.fieldsets)
        fields: Any = self.fields or ()
        return flatten(fields)

    def _has_creator(self) -> bool:
        return any(field.name == "created_by" for field in self.opts.concrete_fields)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change and self._has_creator() and obj.created_by_id is None:
            obj.created_by = request.user
        super().save_model(request, obj, form, change)

    def opened(self, request: HttpRequest, obj: Any = None) -> Opened:
        """Which values of a record this admin shows; all others stay hidden in its history as well."""
        fields: Any = [
            name for _, options in self.get_fieldsets(request, obj) for name in options.get("fields", ())
        ]
        names = [*flatten(fields), *super().get_list_display(request), self.binding.state_name]
        return Opened.of(self.model, names)

    # --- pages ----------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        wrap, prefix = self.admin_site.admin_view, f"{self.opts.app_label}_{self.opts.model_name}"
        # No record's key begins with "_": in addresses of the admin it is quoted.
        own = [
            path("_event/<str:event>/", wrap(self._page(bulk_page.view)), name=f"{prefix}_bulk"),
            path(
                "_event/<str:event>/<str:run>/",
                wrap(self._page(bulk_page.result)),
                name=f"{prefix}_bulk_result",
            ),
            path("_errand/<int:errand>/", wrap(self._page(errand_page.view)), name=f"{prefix}_errand"),
            path(
                "<path:object_id>/event/<str:event>/",
                wrap(self._page(event_page.view)),
                name=f"{prefix}_event",
            ),
        ]
        return [*own, *super().get_urls()]

    def _page(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        def page(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            request.current_app = self.admin_site.name
            return view(self, request, **kwargs)

        return page

    def url(self, name: str, *args: Any) -> str:
        """The address of one of this admin's pages: ``changelist``, ``change``, ``event``, ``bulk``, …"""
        return reverse(
            f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{name}", args=args
        )

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj is not None and obj.pk is not None and not context.get("is_popup"):
            context.update(record_page.context(self, request, obj))
        context["adminform"] = LinkingForm(context["adminform"], request)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except LifecycleError as error:  # a legal hold, or somebody else was faster
            messages.error(request, _not_deleted(error))
            return HttpResponseRedirect(self.url("change", object_id))

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> Any:
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if len(readable(queryset, chosen)) < len(chosen):
            messages.error(request, "What was chosen is no record. Nothing was done.")
            return HttpResponseRedirect(request.get_full_path())
        if request.POST.get("action") != "delete_selected":
            return super().response_action(request, queryset, *args, **kwargs)
        try:
            # All of them, with Django's notes on them, or none.
            rows: Any = queryset
            with transaction.atomic(using=rows._db or router.db_for_write(rows.model)):
                return super().response_action(request, queryset, *args, **kwargs)
        except LifecycleError as error:
            messages.error(request, _not_deleted(error))
            return HttpResponseRedirect(request.get_full_path())

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        context = {**(extra_context or {}), **history_page.context(self, request, object_id)}
        return super().history_view(request, object_id, context)

    object_history_template = "admin/fsm_lifecycle/record/history.html"


def _action(event: Event) -> Callable[..., HttpResponseBase | None]:
    """The list's action that fires an event on the records chosen."""

    def fire(
        modeladmin: LifecycleAdmin, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponseBase | None:
        return bulk_page.begin(modeladmin, request, event.name, queryset)

    fire.__name__ = f"fire_{event.name}"
    label = str(event.label).replace("%", "%%")
    fire.short_description = f"{label}: selected %(verbose_name_plural)s"  # type: ignore[attr-defined]
    return fire


def _not_deleted(error: LifecycleError) -> str:
    """What is said when a deletion was refused; some refusals say themselves that nothing was done."""
    words = str(error)
    return words if "Nothing was deleted." in words else f"{words} Nothing was deleted."
