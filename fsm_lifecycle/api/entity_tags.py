"""Entity tags: which version of a representation a client has seen, and whether it still is the one served.

RFC 9110, sections 8.8.3 and 13. A tag is a hash of the representation as this user gets it. Must not know what is
represented.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from django.utils.http import parse_etags
from rest_framework.utils.encoders import JSONEncoder

from fsm_lifecycle import conf
from fsm_lifecycle.api.problem import Problem


def tag_of(data: Any) -> str:
    """The tag of a representation, in its quotes."""
    text = json.dumps(data, cls=JSONEncoder, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f'"{hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'


class Preconditions:
    """What a request says about the version that it means."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.if_match = headers.get("If-Match")
        self.if_none_match = headers.get("If-None-Match")

    def __bool__(self) -> bool:
        return self.if_match is not None or self.if_none_match is not None

    def check(self, tag: Callable[[], str]) -> None:
        """Raise 412 unless what is there is what is meant. ``tag`` is asked only where it matters."""
        if self.if_match is not None:
            wanted = parse_etags(self.if_match)
            # Strong comparison: a weak tag never matches.
            if wanted != ["*"] and tag() not in wanted:
                raise _failed("If-Match")
        if self.if_none_match is not None and self._is_known(tag):
            raise _failed("If-None-Match")

    def require(self) -> None:
        """Raise 428 where the project wants to be told which version is meant."""
        if self.if_match is None and conf.api_require_if_match():
            raise Problem(
                "precondition_required",
                "Send If-Match with the ETag of the record as you have read it, so that nobody's change is lost.",
            )

    def is_unchanged(self, tag: str) -> bool:
        """Whether a reader has this version already."""
        return self.if_none_match is not None and self._is_known(lambda: tag)

    def _is_known(self, tag: Callable[[], str]) -> bool:
        known = parse_etags(self.if_none_match or "")
        return known == ["*"] or tag() in {one.removeprefix("W/") for one in known}


def _failed(header: str) -> Problem:
    return Problem(
        "precondition_failed",
        f"{header} does not fit the record as it is now. Read it again before you decide.",
    )
