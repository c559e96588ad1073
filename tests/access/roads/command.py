"""Owns running ``lifecycle_roles``, what happens after migrating, and what both can make."""

from __future__ import annotations

import io
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db.models.signals import post_migrate


def run(*args: str, **options: Any) -> str:
    """What the command prints."""
    out = io.StringIO()
    call_command("lifecycle_roles", *args, stdout=out, stderr=out, **options)
    return out.getvalue()


def emit_post_migrate(using: str = "default") -> None:
    """As ``migrate`` does when it has ended."""
    post_migrate.send(
        sender=apps.get_app_config("fsm_lifecycle"),
        app_config=apps.get_app_config("fsm_lifecycle"),
        verbosity=0,
        interactive=False,
        using=using,
        apps=apps,
        plan=[],
        stdout=io.StringIO(),
    )


def everything(using: str = "default") -> dict[str, list[Any]]:
    """All permissions and groups, with their keys."""
    return {
        "permissions": list(Permission.objects.using(using).order_by("pk").values_list()),
        "groups": list(Group.objects.using(using).order_by("pk").values_list()),
        "held": list(Group.permissions.through.objects.using(using).order_by("pk").values_list()),
    }
