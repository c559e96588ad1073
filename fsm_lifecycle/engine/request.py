"""What was asked for in one call, cleaned and ready to be recorded before anything is written.

Must not know the record it is asked of.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.utils import timezone

from fsm_lifecycle.access.actors import Identity, identify
from fsm_lifecycle.append_only import milliseconds
from fsm_lifecycle.definition import State
from fsm_lifecycle.engine import idempotency
from fsm_lifecycle.engine.arguments import clean, recordable
from fsm_lifecycle.engine.asking import Access
from fsm_lifecycle.engine.binding import Binding, Plan
from fsm_lifecycle.engine.decide import judge
from fsm_lifecycle.engine.decision import Decision
from fsm_lifecycle.engine.firing import Firing
from fsm_lifecycle.ledger.body import Draft
from fsm_lifecycle.ledger.canonical import Unrecordable
from fsm_lifecycle.ledger.entry import FIRST_MOMENT, LAST_MOMENT
from fsm_lifecycle.ledger.hashing import new_salt, request_digest


def unrecordable(error: Unrecordable) -> str:
    """Why a value cannot be recorded, without the place, which stands beside it."""
    return f"Cannot be recorded: {error.why}. {error.remedy}."


class Request:
    """One call of ``fire()`` or ``QuerySet.fire()``. ``errors`` become denials when it is judged."""

    def __init__(
        self,
        plan: Plan,
        actor: Any,
        *,
        arguments: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        observations: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        occurred_at: datetime | None = None,
        expected_state: str | None = None,
        expected_sequence: int | None = None,
        snapshot: bool | None = None,
        batch: str | None = None,
    ) -> None:
        self.plan = plan
        self.actor = actor
        self.expected_state = expected_state
        self.expected_sequence = expected_sequence
        self.snapshot = snapshot
        self.idempotency_key = idempotency_key
        self.identity: Identity = identify(actor)
        self.cleaned: dict[str, Any]
        self.errors: dict[str, list[str]]
        self.cleaned, self.errors = {}, {}
        given = self._mapping("arguments", arguments)
        if given or (plan.form and not self.errors):
            self.cleaned, self.errors = clean(plan, given)
        self.kept = recordable(self.cleaned) if self.cleaned else {}
        self.metadata = self._mapping("metadata", metadata)
        if batch is not None:
            self.metadata["batch"] = batch
        self.occurred_at = self._moment(occurred_at)
        if expected_sequence is not None and type(expected_sequence) is not int:
            self.errors["expected_sequence"] = [f"Give a whole number, not {expected_sequence!r}."]
            self.expected_sequence = None
        self.salts: dict[str, str] = {}
        self.parts: dict[str, Any] = self.identity.parts
        if self.kept:
            self.parts["arguments"] = self.kept
        if self.metadata:
            self.parts["metadata"] = self.metadata
        if observations:
            self.parts["observations"] = self._mapping("observations", observations)
        if idempotency_key is not None:
            self._take_key(idempotency_key)
        self.draft = Draft({})
        try:
            self.draft = Draft(self.parts)
        except Unrecordable as error:
            self.refuse_value(error)

    def _mapping(self, name: str, value: Any) -> dict[str, Any]:
        if value is None or isinstance(value, Mapping):
            return dict(value or {})
        self.errors[name] = [f"Give a dict, not {type(value).__name__}."]
        return {}

    def _take_key(self, key: Any) -> None:
        if not isinstance(key, str) or not 0 < len(key) <= idempotency.MAX_LENGTH:
            self.errors["idempotency_key"] = [f"Give a text of 1 to {idempotency.MAX_LENGTH} characters."]
            return
        self.parts["idempotency_key"] = key
        if self.kept:
            self.salts["arguments"] = new_salt()

    def _moment(self, occurred_at: datetime | None) -> datetime | None:
        if occurred_at is None:
            return None
        if not isinstance(occurred_at, datetime) or timezone.is_naive(occurred_at):
            self.errors["occurred_at"] = ["Give an aware datetime, for example django.utils.timezone.now()."]
            return None
        moment = milliseconds(occurred_at)
        if not FIRST_MOMENT <= moment <= LAST_MOMENT:
            self.errors["occurred_at"] = [
                f"Give a time between {FIRST_MOMENT:%Y-%m-%d} and {LAST_MOMENT:%Y-%m-%d}."
            ]
            return None
        return moment

    def refuse_value(self, error: Unrecordable) -> None:
        """Remember a value that cannot be recorded as an error of the arguments, under its place."""
        self.errors[error.place] = [unrecordable(error)]

    def body(self, decision: Decision, extra: Mapping[str, Any] | None = None) -> tuple[str, str]:
        """The entry's body, with what only the decision tells, and its hash."""
        more = dict(extra or {})
        if decision.on_behalf_of is not None:
            more["on_behalf_of"] = {"id": decision.on_behalf_of.id, "label": decision.on_behalf_of.label}
        return (Draft(more, self.draft) if more else self.draft).seal(self.salts)

    @property
    def digest(self) -> str | None:
        """What is kept beside the idempotency key; ``None`` without one."""
        if self.idempotency_key is None:
            return None
        return request_digest(self.plan.name, self.salts.get("arguments", ""), self.kept)

    @property
    def stored(self) -> dict[str, Any]:
        """The cleaned arguments that become field values."""
        return {f.name: self.cleaned.get(f.name) for f in self.plan.stores}

    def judge(
        self,
        binding: Binding,
        row: Any,
        access: Access | None,
        *,
        stale: str = "",
        foreign: str = "",
        cause: str | None = None,
    ) -> Decision:
        """The decision about this request on a row, by who asks."""
        return judge(
            binding,
            self.plan,
            row,
            actor=self.actor,
            access=access,
            cleaned=self.cleaned,
            errors=self.errors,
            expected_state=self.expected_state,
            expected_sequence=self.expected_sequence,
            stale=stale,
            foreign=foreign,
            metadata=self.metadata,
            cause=cause,
            occurred_at=self.occurred_at,
        )

    def firing(
        self, record: Any, *, source: State, target: State, cause: str | None, sequence: int
    ) -> Firing:
        """What effects are told."""
        return Firing(
            record=record,
            event=self.plan.event,
            source=source,
            target=target,
            actor=self.actor,
            arguments=MappingProxyType(self.cleaned),
            metadata=MappingProxyType(self.metadata),
            cause=cause,
            sequence=sequence,
            occurred_at=self.occurred_at,
        )
