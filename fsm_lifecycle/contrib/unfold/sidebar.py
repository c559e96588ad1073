"""Owns the lifecycle section's group in unfold's sidebar, for a project that lists its own navigation.

Without such a list unfold shows every app, and the section among them. Must not know what is on a page.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.http import HttpRequest

from fsm_lifecycle.admin.section.page import url_of
from fsm_lifecycle.admin.section.section import LifecycleSection

#: Material symbols, which unfold ships, by the name of the page.
ICONS: Final = {"dashboard": "monitoring", "log": "list_alt", "roles": "group", "ledger": "verified_user"}


def lifecycle_group(request: HttpRequest, site: AdminSite | None = None) -> list[dict[str, Any]]:
    """The group of the section's pages that the user may see; an empty list where there is none.

    For a function that ``UNFOLD["SIDEBAR"]["navigation"]`` names: ``[*lifecycle_group(request), ...]``.
    """
    on = site or admin.site
    section: LifecycleSection | None = getattr(on, "lifecycle_section", None)
    if section is None:
        return []
    pages = [page for page in section.pages if page.name in section.SIDEBAR and page.allows(request.user)]
    links = {page.name: url_of(on, page.name) for page in pages}
    # The address of the first page is the beginning of all others: the longest that fits is the page at hand.
    current = max((link for link in links.values() if request.path.startswith(link)), key=len, default="")
    items = [
        {
            "title": page.tab,
            "icon": ICONS.get(page.name, "schema"),
            "link": links[page.name],
            "active": links[page.name] == current,
        }
        for page in pages
    ]
    return [{"title": "Lifecycle", "separator": True, "items": items}] if items else []
