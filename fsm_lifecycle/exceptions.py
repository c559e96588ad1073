"""Every exception of the package, each with a stable ``code``.

Messages name the event, the state and the remedy. They are for the people and programs of the host project;
a surface shows an outside client the code and the reasons of a ``Decision``, never an exception's text.
Must not know what raises them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django_fsm import TransitionNotAllowed

if TYPE_CHECKING:
    from fsm_lifecycle.engine.decision import Decision


class LifecycleError(Exception):
    """The root of all errors of this package."""

    code: str = "lifecycle_error"
    decision: Decision | None = None
    """The decision that denied, where there was one."""
    record: Any = None
    """The record it was about, where there was a decision."""


class InvalidDefinition(LifecycleError):
    """A nested ``Lifecycle`` class that cannot be made into a table. Raised when the model class is made."""

    code = "invalid_definition"


class UnknownEvent(LifecycleError):
    """The lifecycle has no such event."""

    code = "unknown_event"


class AccessDenied(LifecycleError, PermissionDenied):
    """The actor may not fire this event. ``code`` is ``access_denied`` or ``four_eyes``."""

    code = "access_denied"


class InvalidGrant(LifecycleError, ValueError):
    """A grant, revocation or delegation that makes no sense: an unknown role, a model without a lifecycle, ..."""

    code = "invalid_grant"


class ApprovalRequired(LifecycleError):
    """A person has to approve first."""

    code = "approval_required"


class StaleState(LifecycleError):
    """The record is no longer what the caller believes, or the database was too busy to tell."""

    code = "stale_state"


class InvalidTransition(LifecycleError, TransitionNotAllowed):
    """The record's state does not allow the event."""

    code = "wrong_state"


class TerminalState(InvalidTransition):
    """The record's state is final."""

    code = "terminal_state"


class GuardFailed(InvalidTransition):
    """A guard said no. ``guard`` is its name, ``reason`` what a person reads. ``guard_error``: it raised."""

    code = "guard_failed"
    guard: str = ""
    reason: str = ""


class InvalidArguments(LifecycleError):
    """Arguments that the event's form refuses, or a value that cannot be recorded.

    ``errors`` maps a field or place to its messages; ``""`` holds what belongs to no single field.
    """

    code = "invalid_arguments"

    def __init__(self, message: str, errors: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message)
        self.errors: dict[str, list[str]] = {name: list(texts) for name, texts in (errors or {}).items()}


class UnsavedChanges(LifecycleError):
    """The record in memory has edits that were not saved. ``fields`` names them."""

    code = "unsaved_changes"

    def __init__(self, message: str, fields: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class DirectStateChange(LifecycleError, AttributeError):
    """Something tried to write the state without firing an event."""

    code = "direct_state_change"


class IdempotencyConflict(LifecycleError):
    """The idempotency key was used on this record with another event or other arguments."""

    code = "idempotency_conflict"


class ActorRequired(LifecycleError):
    """Nobody was named as the one who fires."""

    code = "actor_required"


class CauseLoop(LifecycleError):
    """A chain of events that cause each other is too long, or comes back to where it was."""

    code = "cause_loop"


class UnderLegalHold(LifecycleError):
    """The record must stay: a legal hold is in force. ``holds`` are the ones in force, oldest first."""

    code = "legal_hold"

    def __init__(self, message: str, holds: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.holds = tuple(holds)


class InvalidHold(LifecycleError):
    """A legal hold without a reason, or one that was released already."""

    code = "invalid_hold"


class NotEligible(LifecycleError):
    """The record's retention does not let it be purged now, or it has none."""

    code = "not_eligible"


class ProtectionOutdated(LifecycleError):
    """The database's own protection belongs to an older table than the code."""

    code = "protection_outdated"
