"""What every view of the API shares: who asks, in which order a request is judged, how an answer leaves.

Everything is set on our own views, nothing in the host's settings. Must not know what a view is for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from io import SEEK_END, UnsupportedOperation
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.core.signals import got_request_exception
from django.db import DatabaseError, DataError, connections, transaction
from django.http import Http404
from django.http.request import UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.log import log_response
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from fsm_lifecycle.access import answers
from fsm_lifecycle.access.current import enter, leave
from fsm_lifecycle.access.stores import alias_of
from fsm_lifecycle.api import throttles
from fsm_lifecycle.api.documented import Documented, schema_of_views
from fsm_lifecycle.api.entity_tags import Preconditions, tag_of
from fsm_lifecycle.api.problem import (
    MEDIA_TYPE,
    NOT_ALLOWED,
    Fault,
    Problem,
    busy,
    invalid,
    not_found,
    unknown,
    unreadable,
)
from fsm_lifecycle.api.reading import StrictJSONParser
from fsm_lifecycle.api.rendering import LifecycleJSONRenderer
from fsm_lifecycle.transactions import is_busy


class ApiView(APIView):  # type: ignore[misc]
    """A view of the API. ``parameters``: the names that its query string may have."""

    parameters: ClassVar[tuple[str, ...]] = ()
    lifecycle_scope = throttles.REST
    renderer_classes = (LifecycleJSONRenderer,)
    parser_classes = (StrictJSONParser,)
    #: ``None``: the project's defaults, read when asked.
    authentication_classes: Sequence[Any] | None = None
    throttle_classes: Sequence[Any] | None = None
    permission_classes: Sequence[Any] = ()
    versioning_class = None
    metadata_class = None
    http_method_names: ClassVar[list[str]] = ["get", "head", "post", "patch", "delete"]
    schema = schema_of_views()

    @classmethod
    def as_view(cls, *args: Any, **initkwargs: Any) -> Any:
        """As the framework's. Transactions are opened where something is written, so that refusals outlive them."""
        view = super().as_view(*args, **initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def documented(self, method: str) -> Documented:
        """What the schema says of a method."""
        raise NotImplementedError

    # From request to answer

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As the framework's, in the name of who asks; what fails while the answer is written is answered as well."""
        token = enter(lambda: getattr(request, "user", None))
        try:
            with self._keeping_answers():
                try:
                    response = self._rendered(super().dispatch(request, *args, **kwargs))
                except Exception as error:
                    asked, failed = self.request, self.handle_exception(error)
                    response = self._rendered(self.finalize_response(asked, failed, *args, **kwargs))
                return response
        finally:
            leave(token)

    def _rendered(self, response: Any) -> HttpResponseBase:
        made: HttpResponseBase = response.render() if hasattr(response, "render") else response
        return made

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """As the framework's, which reads no body without a length. Under ASGI it is here already, so it has one."""
        if isinstance(request, ASGIRequest) and not request.META.get("CONTENT_LENGTH"):
            stream: Any = request._stream
            with suppress(UnsupportedOperation):  # a test client's, which has said the length
                stream.seek(0, SEEK_END)
                request.META["CONTENT_LENGTH"] = str(stream.tell())
                stream.seek(0)
        return super().initialize_request(request, *args, **kwargs)

    def _keeping_answers(self) -> AbstractContextManager[None]:
        known = answers.kept("default") is not None
        return nullcontext() if known else answers.keeping_answers()

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Who asks, and how often: before anything is looked up."""
        self.format_kwarg = None
        chosen = self.perform_content_negotiation(request, force=True)
        request.accepted_renderer, request.accepted_media_type = chosen
        request.version, request.versioning_scheme = self.determine_version(request, *args, **kwargs)
        try:
            self.perform_authentication(request)
        except (ValueError, DataError):  # credentials of characters that the database does not take
            raise exceptions.AuthenticationFailed from None
        user = request.user
        if not (user and user.is_authenticated and user.is_active):
            raise exceptions.NotAuthenticated
        self.check_throttles(request)
        self.check_permissions(request)

    def get_throttles(self) -> list[Any]:
        """The project's, and ours for its scope."""
        chosen = self.throttle_classes
        kinds = api_settings.DEFAULT_THROTTLE_CLASSES if chosen is None else chosen
        return [*(kind() for kind in kinds), throttles.LifecycleThrottle()]

    def get_authenticators(self) -> list[Any]:
        """The project's, in its order."""
        chosen = self.authentication_classes
        kinds = api_settings.DEFAULT_AUTHENTICATION_CLASSES if chosen is None else chosen
        return [kind() for kind in kinds]

    def handle_exception(self, exc: Exception) -> Response:
        """Every exception as a problem; one that nobody expected is logged, and its text stays here."""
        problem = self._problem(exc)
        if problem is not None:
            return self.answer_problem(problem)
        got_request_exception.send(sender=type(self), request=self.request._request)
        response = self.answer_problem(
            Problem(
                "internal_error",
                "The server's log has the error. Read again what this was about, to see whether it was done.",
            )
        )
        log_response(
            "Internal Server Error: %s",
            self.request.path,
            response=response,
            request=self.request._request,
            exception=exc,
        )
        return response

    def answer_problem(self, problem: Problem) -> Response:
        """The answer that says why not."""
        response = Response(
            problem.body(self.request.path),
            status=problem.status,
            headers=problem.headers,
            content_type=MEDIA_TYPE,
        )
        response.exception = True
        return response

    def _problem(self, exc: Exception) -> Problem | None:
        if isinstance(exc, Problem):
            return exc
        if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
            return Problem(
                "not_authenticated",
                "Log in, or send credentials that are valid.",
                headers={"WWW-Authenticate": self._challenge()},
            )
        if isinstance(exc, exceptions.Throttled):
            wait = {} if exc.wait is None else {"Retry-After": str(max(1, round(exc.wait)))}
            return Problem("throttled", "Wait before you ask again.", headers=wait)
        if isinstance(exc, Http404 | exceptions.NotFound):
            return not_found()
        if isinstance(exc, exceptions.PermissionDenied | PermissionDenied):
            return Problem("access_denied", self._why_denied(exc))
        if isinstance(exc, exceptions.MethodNotAllowed):
            return Problem("method_not_allowed", f"Served are: {', '.join(self.allowed_methods)}.")
        if isinstance(exc, exceptions.UnsupportedMediaType):
            return Problem("unsupported_media_type", "Send the body as application/json.")
        if isinstance(exc, exceptions.ValidationError):
            return invalid(faults_of(exc.detail))
        if isinstance(exc, RequestDataTooBig):
            return Problem("too_large", "The body has more bytes than are read here.")
        if isinstance(exc, exceptions.ParseError | SuspiciousOperation | UnreadablePostError):
            return unreadable("", "The request cannot be read.")
        if isinstance(exc, DatabaseError) and is_busy(exc):
            return busy()
        return None

    def _challenge(self) -> str:
        """How credentials are sent; also where sessions, which have no scheme of their own, are asked first."""
        schemes = [one.authenticate_header(self.request) for one in self.get_authenticators()]
        return ", ".join(dict.fromkeys(str(one) for one in schemes if one)) or 'Session realm="api"'

    def _why_denied(self, exc: Exception) -> str:
        if isinstance(exc, exceptions.PermissionDenied) and "CSRF" in str(exc.detail):
            return "The CSRF token is missing or wrong. A session sends it as the header X-CSRFToken."
        return NOT_ALLOWED

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Tag what is read, answer conditional requests, and say whom an answer is for."""
        if request.method in ("GET", "HEAD") and response.status_code == 200 and hasattr(response, "data"):
            response = self._tagged(request, response)
        response = super().finalize_response(request, response, *args, **kwargs)
        patch_vary_headers(response, ("Authorization", "Cookie"))
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    def _tagged(self, request: Any, response: Response) -> Response:
        tag = tag_of(response.data)
        conditions = Preconditions(request.headers)
        if conditions.if_match is not None:
            try:
                Preconditions({"If-Match": conditions.if_match}).check(lambda: tag)
            except Problem as problem:
                return self.answer_problem(problem)
        if conditions.is_unchanged(tag):
            return Response(status=304, headers={"ETag": tag})
        response.headers["ETag"] = tag
        return response

    # What a request holds

    def refuse_unknown_parameters(self) -> None:
        """Raise 400 for a parameter that there is not, or that stands twice."""
        given = self.request.query_params
        if extra := [name for name in given if name not in self.parameters]:
            raise unknown(extra, "parameter", self.parameters)
        for name in given:
            if len(given.getlist(name)) > 1:
                raise unreadable(name, "Give it once.")

    def parameter(self, name: str) -> str | None:
        """A parameter, or ``None`` where it was not given, or is empty."""
        text: str = self.request.query_params.get(name, "")
        if "\0" in text:
            raise unreadable(name, "It holds U+0000.")
        return text or None

    def whole_number(self, name: str, *, least: int = 0, most: int = 2**63 - 1) -> int | None:
        """A parameter that is a whole number."""
        text = self.parameter(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
            raise unreadable(name, f"Give a whole number from {least} to {most}.")
        return int(text)

    def body(self, known: Sequence[str] | None = None) -> dict[str, Any]:
        """The body, a JSON object with no other fields than these."""
        if not self._has_length() and "HTTP_TRANSFER_ENCODING" in self.request.META:
            raise Problem("length_required", "Send the body with a Content-Length, in one piece.")
        given = self.request.data
        if not isinstance(given, dict):
            raise unreadable("", "The body is not a JSON object.")
        if known is not None and (extra := [name for name in given if name not in known]):
            raise unknown(extra, "field", known)
        return given

    def has_body(self) -> bool:
        """Whether anything was sent: where nothing has to be said, no body is needed."""
        return self._has_length() or "HTTP_TRANSFER_ENCODING" in self.request.META

    def _has_length(self) -> bool:
        return self.request.META.get("CONTENT_LENGTH") not in (None, "", "0")

    def keeping_order(self, judge: Callable[[], None], read: Callable[[], Any]) -> Any:
        """What ``read`` returns; where it finds the request wanting, whether this user may ask is judged first."""
        try:
            return read()
        except (Problem, exceptions.APIException, SuspiciousOperation):
            judge()
            raise

    @property
    def using(self) -> str:
        """Where the asking user's grants are kept."""
        return alias_of(self.request.user)


def faults_of(detail: Any, name: str = "") -> list[Fault]:
    """The framework's errors by field, flat: ``lines.0.amount``."""
    if isinstance(detail, dict):
        return [
            fault
            for key, one in detail.items()
            for fault in faults_of(one, name if key == "non_field_errors" else _inner(name, key))
        ]
    if isinstance(detail, list):
        found: list[Fault] = []
        for place, one in enumerate(detail):
            found += faults_of(one, _inner(name, place) if isinstance(one, dict | list) else name)
        return found
    return [Fault(name, str(detail))]


def _inner(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)
