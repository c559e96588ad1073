"""Problems: what a client is told when a request is not done, as RFC 9457 ``application/problem+json``.

Owns statuses, titles and the order in which denials become a status. No exception's text gets here: a problem holds
the reasons of a decision, or words of its own. Must not know requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fsm_lifecycle.engine.decision import Decision, Denial
from fsm_lifecycle.exceptions import LifecycleError, StaleState, UnderLegalHold

MEDIA_TYPE: Final = "application/problem+json"

#: Code → status and title. In the order in which they are judged.
KINDS: Final[dict[str, tuple[int, str]]] = {
    "not_authenticated": (401, "Who asks is not known"),
    "throttled": (429, "Too many requests"),
    "not_found": (404, "Not found"),
    "unknown_event": (404, "There is no such event"),
    "access_denied": (403, "Not allowed"),
    "four_eyes": (403, "Another person has to do this"),
    "approval_required": (403, "A person has to approve first"),
    "method_not_allowed": (405, "This method is not served here"),
    "not_acceptable": (406, "Not available in this form"),
    "length_required": (411, "Say how long the body is"),
    "too_large": (413, "The request is too large"),
    "unsupported_media_type": (415, "Send JSON"),
    "unreadable": (400, "The request cannot be read"),
    "unknown_argument": (400, "The request names something unknown"),
    "precondition_failed": (412, "The record is not what was expected"),
    "precondition_required": (428, "Say which version is meant"),
    "stale_state": (409, "The record has changed"),
    "terminal_state": (409, "The record's state is final"),
    "wrong_state": (409, "The record's state does not allow this"),
    "legal_hold": (409, "A legal hold keeps the record"),
    "protected": (409, "Other records depend on this one"),
    "idempotency_conflict": (409, "The idempotency key was used for something else"),
    "already_decided": (409, "Decided already"),
    "expired": (409, "Too late"),
    "undecidable": (409, "Cannot be decided now"),
    "endpoint_off": (409, "The endpoint is off"),
    "unusable_keys": (409, "Secrets cannot be kept"),
    "not_provable": (409, "The entry cannot be proven yet"),
    "not_attempted": (424, "Not attempted"),
    "invalid_arguments": (422, "The values do not do"),
    "guard_failed": (422, "A rule says no"),
    "guard_error": (422, "A rule could not be checked"),
    "effect_failed": (422, "A consequence could not be carried out"),
    "internal_error": (500, "Something went wrong here"),
    "not_installed": (501, "Not installed"),
}

#: What is said where a permission class of the project's says no.
NOT_ALLOWED: Final = "You may not do this."


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, under the name of the field, parameter, guard or event."""

    name: str
    detail: str
    code: str = ""


class Problem(Exception):
    """Ends a request with an answer that says why."""

    def __init__(
        self,
        code: str,
        detail: str,
        faults: Sequence[Fault] = (),
        *,
        headers: Mapping[str, str] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        self.status = status or KINDS[code][0]

    def body(self, instance: str) -> dict[str, Any]:
        """What is sent. ``instance``: the path that was asked for."""
        return {
            "type": f"urn:fsm-lifecycle:problem:{self.code}",
            "title": KINDS[self.code][1],
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "code": self.code,
            "errors": [
                {"name": fault.name, "code": fault.code or self.code, "detail": fault.detail}
                for fault in self.faults
            ],
        }


def not_found() -> Problem:
    """The same words for what is not there and for what may not be seen."""
    return Problem("not_found", "There is nothing here, or you may not see it.")


def unreadable(name: str, detail: str) -> Problem:
    """A part of the request that cannot be read."""
    return Problem("unreadable", f"{name}: {detail}" if name else detail, [Fault(name, detail)])


def unknown(names: Sequence[str], what: str, known: Sequence[str]) -> Problem:
    """Fields or parameters that there are not, each named."""
    rest = f" There are: {', '.join(known)}." if known else " There are none."
    faults = [Fault(name[:100], f"There is no {what} of this name.{rest}") for name in names]
    listed = ", ".join(f"“{name[:100]}”" for name in names)
    return Problem("unknown_argument", f"Unknown {what}: {listed}.{rest}", faults)


def invalid(faults: Sequence[Fault]) -> Problem:
    """Values that do not do."""
    said = [f"{fault.name}: {fault.detail}" if fault.name else fault.detail for fault in faults]
    return Problem("invalid_arguments", " ".join(said), faults)


def of_denials(denials: Sequence[Denial]) -> Problem:
    """Every reason of a decision; the first gives the status."""
    first = denials[0]
    code = first.code if first.code in KINDS else "access_denied"
    same = [d.reason for d in denials if d.code == first.code]
    return Problem(code, " ".join(dict.fromkeys(same)), [Fault(d.name, d.reason, d.code) for d in denials])


def of_decision(decision: Decision) -> Problem:
    """What a decision against an event says."""
    return of_denials(decision.denials)


def effect_failed() -> Problem:
    """Code of the table's own raised. What it met is not for the client."""
    return Problem("effect_failed", "A consequence of this could not be carried out, so nothing was changed.")


def of_error(error: LifecycleError, record: Any) -> Problem:
    """An exception of the engine about ``record``. What an effect met on another record is not for the client."""
    if error.decision is not None and error.record is record and error.decision.denials:
        return of_decision(error.decision)
    if isinstance(error, UnderLegalHold):
        return Problem("legal_hold", "A legal hold keeps this record, or one that depends on it.")
    if isinstance(error, StaleState) and error.decision is None:
        return busy()
    return effect_failed()


def busy() -> Problem:
    """Another transaction was in the way."""
    return Problem(
        "stale_state", "The record was held by somebody else, or has changed. Read it again and try again."
    )
