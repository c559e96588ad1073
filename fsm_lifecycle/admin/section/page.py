"""Owns what every page of the section shares: who may see it, the frame around it, and its tab.

Must not know what a page is about.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.generic import TemplateView


class Page(TemplateView):
    """One page below ``/admin/lifecycle/``. The site has seen to it that the user is staff.

    A page that also changes something defines ``post`` and redirects from it, so that a reload does nothing again.
    """

    name: ClassVar[str]
    """Its URL is called ``<site>:lifecycle_<name>``."""
    route: ClassVar[str]
    """Its path below the section, in the form of ``django.urls.path``."""
    permission: ClassVar[str]
    """Who has it may see the page, ``"app_label.codename"``."""
    title: ClassVar[str]
    tab: ClassVar[str] = ""
    """Its word in the tabs; a page without one belongs to another."""
    under: ClassVar[str] = ""
    """The name of the page whose tab is lit; its own by default."""

    site: AdminSite | None = None
    """Given by the section: ``Page.as_view(site=site)``."""
    pages: tuple[type[Page], ...] = ()
    """Given by the section: all of its pages, in the order of the tabs."""

    @classmethod
    def allows(cls, user: Any) -> bool:
        """Whether a user of the admin may see this page."""
        return bool(user.has_perm(cls.permission))

    @classmethod
    def attention(cls) -> str:
        """How much on this page wants somebody's attention, for its tab; empty for nothing. Costs next to nothing."""
        return ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request.current_app = self._site.name
        if not self.allows(request.user):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def url(self, name: str, **kwargs: Any) -> str:
        """The address of another page of this section."""
        return url_of(self._site, name, **kwargs)

    @property
    def _site(self) -> AdminSite:
        assert self.site is not None, "Page.as_view() needs the admin site it stands on."
        return self.site

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        site = self._site
        lit = self.under or self.name
        tabs = [
            {
                "label": page.tab,
                "url": url_of(site, page.name),
                "current": page.name == lit,
                "count": page.attention(),
            }
            for page in self.pages
            if page.tab and page.allows(self.request.user)
        ]
        return {
            **site.each_context(self.request),
            "title": self.title,
            "section_url": tabs[0]["url"] if tabs else "",
            "site": site,
            "tabs": tabs,
            "trail": self.trail(),
            **super().get_context_data(**kwargs),
        }

    def trail(self) -> list[tuple[str, str]]:
        """The pages between the section and this one, each with its address, for the breadcrumbs."""
        above = next((page for page in self.pages if page.name == self.under), None)
        return [] if above is None else [(above.title, self.url(above.name))]


def url_of(site: AdminSite, name: str, **kwargs: Any) -> str:
    """The address of a page of the section on a site."""
    return reverse(f"{site.name}:lifecycle_{name}", kwargs=kwargs)
