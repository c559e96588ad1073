"""Owns what a person may see and do in a model's own admin, asked with the record, so that roles on one count too.

Django's own admin asks for the model alone. Must not know events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.db.models import QuerySet
from django.http import HttpRequest

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class RecordRights(_ModelAdmin):
    """Lists what the user may read; shows, saves and deletes a record where the user may do that with it."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        records: Any = super().get_queryset(request)
        found: QuerySet[Any] = records.visible_to(request.user)
        return found

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) or self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None:
            return self._may(request, "view", obj) or self._may(request, "change", obj)
        if super().has_view_permission(request):
            return True
        known = getattr(request, "_lifecycle_seen", None)
        if known is None:
            known = request._lifecycle_seen = {}  # type: ignore[attr-defined]
        if self.model not in known:
            known[self.model] = self.get_queryset(request).exists()
        return bool(known[self.model])

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "delete", obj)

    def _may(self, request: HttpRequest, action: str, record: Any) -> bool:
        codename = get_permission_codename(action, self.opts)
        return bool(request.user.has_perm(f"{self.opts.app_label}.{codename}", record))
