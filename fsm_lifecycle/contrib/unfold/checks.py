"""Owns the system check of the order of apps. Must not know what their templates hold."""

from __future__ import annotations

from typing import Any, Final

from django.apps import apps
from django.core.checks import CheckMessage, Error

#: Of two apps with a template of one name, the first counts.
ORDERED: Final = (("unfold", "django.contrib.admin"), ("fsm_lifecycle.contrib.unfold", "fsm_lifecycle"))


def check_order(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """unfold is installed, and each app stands before those whose templates it replaces."""
    places = {config.name: place for place, config in enumerate(apps.get_app_configs())}
    if "unfold" in places and all(_ordered(places, names) for names in ORDERED):
        return []
    return [
        Error(
            "The lifecycle pages do not get unfold's frame."
            if "unfold" in places
            else "fsm_lifecycle.contrib.unfold is installed without unfold.",
            hint=(
                'Begin INSTALLED_APPS with "fsm_lifecycle.contrib.unfold" and "unfold", in this order, '
                'before "django.contrib.admin" and "fsm_lifecycle".'
            ),
            id="fsm_lifecycle.E067",
        )
    ]


def _ordered(places: dict[str, int], names: tuple[str, ...]) -> bool:
    found = [places[name] for name in names if name in places]
    return found == sorted(found)
