"""How asking a model fails: for now, or for good. Must not know which provider failed.

The messages are our own words: what a server or a program said goes to the log file of the process, no further.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fsm_lifecycle.exceptions import LifecycleError

if TYPE_CHECKING:
    from fsm_lifecycle.agents.providers.reply import Usage


class ModelFailure(LifecycleError):
    """A request that brought no whole message."""

    code = "model_failed"

    def __init__(
        self,
        message: str,
        *,
        again: bool = False,
        retry_after: float | None = None,
        usage: Usage | None = None,
        began: bool = False,
    ) -> None:
        super().__init__(message)
        self.again = again
        """Whether the same request may succeed later."""
        self.retry_after = retry_after
        """Seconds that the server asked to wait."""
        self.usage = usage
        """Tokens that were spent, as far as they are known; ``None`` where nothing tells."""
        self.began = began
        """Whether an answer had begun, so that tokens were spent."""


class ProviderMissing(LifecycleError):
    """The provider cannot be used as things are: no such name, no package, no key. The message names the remedy."""

    code = "provider_missing"


def broken(why: str, *, usage: Usage | None = None) -> ModelFailure:
    """An answer that began and makes no sense, or broke off: it is asked for again."""
    return ModelFailure(why, again=True, usage=usage, began=True)


def status_failure(
    who: str, status: int, kind: str = "", retry_after: str | None = None, *, usage: Usage | None = None
) -> ModelFailure:
    """What a status means: whether to ask again, and what to do where not."""
    said = f"{status} ({kind})" if kind else str(status)
    if status == 200:  # an error in the middle of a stream
        return ModelFailure(
            f"{who} broke off with {kind or 'an error'}.",
            again=kind not in _FOR_GOOD,
            usage=usage,
            began=True,
        )
    again = status in (408, 409, 429) or status >= 500
    remedy = "" if again else _REMEDIES.get(status, " The log file of the process has what it said.")
    return ModelFailure(f"{who} answered {said}.{remedy}", again=again, retry_after=_seconds(retry_after))


_FOR_GOOD = frozenset(
    {"invalid_request_error", "authentication_error", "permission_error", "not_found_error", "billing_error"}
)
_REMEDIES = {
    401: " The key is not accepted: check it.",
    402: " The account has to be paid for.",
    403: " The key may not do this.",
    404: " Check the model's name and the address.",
    413: " The conversation has become too long for it: begin a new one.",
}


def _seconds(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
