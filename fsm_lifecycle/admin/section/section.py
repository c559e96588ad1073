"""Owns the section as a whole: which pages it has, where they are, and what the admin's index and sidebar show of it.

Must not know what is on a page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, include, path
from django.utils.module_loading import import_string

from fsm_lifecycle.admin.section.page import Page, url_of


class LifecycleSection:
    """The lifecycle section of one admin site, below ``lifecycle/``."""

    #: In the order of the tabs; a route that takes anything comes last.
    PAGES: ClassVar[tuple[str, ...]] = (
        "fsm_lifecycle.admin.section.dashboard.DashboardPage",
        "fsm_lifecycle.admin.section.log.LogPage",
        "fsm_lifecycle.admin.section.log_export.LogCSV",
        "fsm_lifecycle.admin.section.log_export.LogJSON",
        "fsm_lifecycle.admin.section.entry.EntryPage",
        "fsm_lifecycle.admin.section.roles.RolesPage",
        "fsm_lifecycle.admin.section.access_events.AccessEventsPage",
        "fsm_lifecycle.admin.section.delegating.DelegatePage",
        "fsm_lifecycle.admin.section.refusals.RefusalsPage",
        "fsm_lifecycle.admin.section.webhooks.WebhooksPage",
        "fsm_lifecycle.admin.section.webhook_form.EndpointFormPage",
        "fsm_lifecycle.admin.section.webhook.EndpointPage",
        "fsm_lifecycle.admin.section.webhook_form.EndpointEditPage",
        "fsm_lifecycle.admin.section.webhook_delivery.DeliveryPage",
        "fsm_lifecycle.admin.agents.overview.AgentsPage",
        "fsm_lifecycle.admin.agents.run_page.RunPage",
        "fsm_lifecycle.admin.agents.proposal_page.ProposalPage",
        "fsm_lifecycle.admin.agents.explorer.ExplorerPage",
        "fsm_lifecycle.admin.agents.chat.ChatPage",
        "fsm_lifecycle.admin.agents.chat.ConversationPage",
        "fsm_lifecycle.admin.agents.stream.StreamPage",
        "fsm_lifecycle.admin.section.ledger.LedgerPage",
        "fsm_lifecycle.admin.section.checkpoints.CheckpointsPage",
        "fsm_lifecycle.admin.section.checkpoints.CheckpointPage",
        "fsm_lifecycle.admin.section.redacting.RedactEntryPage",
        "fsm_lifecycle.admin.section.erasing.RedactPersonPage",
        "fsm_lifecycle.admin.section.retention.RetentionPage",
        "fsm_lifecycle.admin.section.holding.HoldPage",
        "fsm_lifecycle.admin.section.purging.PurgePage",
        "fsm_lifecycle.admin.section.purging.PurgedPage",
        "fsm_lifecycle.admin.section.purge_going.PurgingPage",
        "fsm_lifecycle.admin.section.work.WorkPage",
        "fsm_lifecycle.admin.section.settings.SettingsPage",
        "fsm_lifecycle.admin.section.lifecycle.LifecyclePage",
        "fsm_lifecycle.admin.section.diagram_file.DiagramFile",
    )
    #: The pages that the sidebar shows.
    SIDEBAR: ClassVar[tuple[str, ...]] = ("dashboard", "log", "roles", "ledger")

    def __init__(self, site: AdminSite) -> None:
        self.site = site
        self.pages: tuple[type[Page], ...] = tuple(import_string(name) for name in self.PAGES)

    @classmethod
    def register(cls, site: AdminSite) -> LifecycleSection:
        """Put the section on a site. Doing it twice changes nothing."""
        found: LifecycleSection | None = getattr(site, "lifecycle_section", None)
        if found is not None:
            return found
        section = cls(site)
        # A site has no way to be given addresses or entries of its list but its own methods, so these two are
        # wrapped, on this one site that was handed over for it.
        site.lifecycle_section = section  # type: ignore[attr-defined]
        site.get_urls = section._urls(site.get_urls)  # type: ignore[method-assign]
        site.get_app_list = section._app_list(site.get_app_list)  # type: ignore[method-assign]
        return section

    def _urls(self, own: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
        def get_urls() -> list[URLPattern | URLResolver]:
            routes = [
                path(
                    page.route,
                    self.site.admin_view(page.as_view(site=self.site, pages=self.pages)),
                    name=f"lifecycle_{page.name}",
                )
                for page in self.pages
            ]
            return [path("lifecycle/", include(routes)), *own()]

        return get_urls

    def _app_list(self, own: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        def get_app_list(request: HttpRequest, app_label: str | None = None) -> list[Any]:
            listed = own(request, app_label)
            if app_label is not None:
                return listed
            entry = self._entry(request)
            return [entry, *listed] if entry else listed

        return get_app_list

    def _entry(self, request: HttpRequest) -> dict[str, Any] | None:
        """The section as the admin's index and sidebar list an app."""
        tabs = [page for page in self.pages if page.tab and page.allows(request.user)]
        if not tabs:
            return None
        shown = [page for page in tabs if page.name in self.SIDEBAR] or tabs[:1]
        return {
            "name": "Lifecycle",
            "app_label": "lifecycle",
            "app_url": url_of(self.site, shown[0].name),
            "has_module_perms": True,
            "models": [
                {
                    "name": page.tab,
                    "object_name": f"Lifecycle{page.name.title()}",
                    "model": None,
                    "perms": {"add": False, "change": False, "delete": False, "view": True},
                    "admin_url": self._address(request, page),
                    "add_url": None,
                    "view_only": True,
                }
                for page in shown
            ],
        }

    def _address(self, request: HttpRequest, page: type[Page]) -> str:
        """A page's address in the sidebar, which lights every entry whose address the present one begins with.

        The overview's is the beginning of all others: elsewhere it is made to differ, without leading elsewhere.
        """
        address = url_of(self.site, page.name)
        return address if page.route or request.path == address else f"{address}#content-start"
