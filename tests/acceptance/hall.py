"""Owns an admin site beside the default one, as a project with two of them would have it, and its people."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import path, reverse

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.admin import LifecycleAdmin, LifecycleSection
from tests.testapp.gates import Gate
from tests.testapp.models import Door, Invoice, Light
from tests.testapp.offices import Binder, Claim

SETUP = System("setup")

hall = admin.AdminSite(name="hall")
LifecycleSection.register(hall)
for model in (Binder, Claim, Door, Gate, Light):
    hall.register(model, LifecycleAdmin)


@admin.register(Invoice, site=hall)
class InvoiceAdmin(LifecycleAdmin):
    fields = ["client_name", "amount"]


urlpatterns = [path("hall/", hall.urls)]


def staff(name: str, *permissions: str, **kwargs: Any) -> User:
    """Somebody of the staff with these permissions, ``app.codename``."""
    user = User.objects.create_user(name, is_staff=True, **kwargs)
    for one in permissions:
        app, codename = one.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def role(user: User, name: str, on: Any) -> User:
    """The user, once the role is granted."""
    grant_role(user, name, on=on, by=SETUP)
    return user


def browser(user: User | None = None) -> Any:
    """A browser in which somebody is logged in, or nobody."""
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def url(record: Any, page: str = "change", *more: str) -> str:
    """A page of a model's own admin."""
    meta = record._meta
    keys = [] if page in ("changelist", "add") else [record.pk]
    return reverse(f"hall:{meta.app_label}_{meta.model_name}_{page}", args=[*keys, *more])


def section(page: str, *args: Any) -> str:
    """A page of the lifecycle section."""
    return reverse(f"hall:lifecycle_{page}", args=args)
