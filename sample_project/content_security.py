"""Owns the Content-Security-Policy header of the sample: nothing from elsewhere, nothing inline.

Django 6.0 has a setting for it, Django 5.2 has not; this serves both. Must not know what a page is about.
"""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

POLICY = "default-src 'self'"


class ContentSecurityPolicy:
    """Sends the policy with every response that has none of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response
