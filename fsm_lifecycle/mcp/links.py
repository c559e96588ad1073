"""Owns where a person decides about a proposal, as an address. Must not know the pages."""

from __future__ import annotations

from typing import Final

from django.urls import NoReverseMatch, reverse

from fsm_lifecycle import conf

#: The page's place below the admin's beginning.
_BELOW_THE_ADMIN: Final = "lifecycle/proposals/{}/"


def proposal_url(key: int, base: str = "") -> str | None:
    """The address of a proposal's page; ``None`` where the site has no admin.

    Absolute by ``BASE_URL``, else by ``base``, the site as the request names it; without both, a path.
    """
    try:
        path = reverse("admin:lifecycle_proposal", args=[key])
    except NoReverseMatch:
        try:
            path = reverse("admin:index") + _BELOW_THE_ADMIN.format(key)
        except NoReverseMatch:
            return None
    return f"{conf.base_url() or base}{path}"
