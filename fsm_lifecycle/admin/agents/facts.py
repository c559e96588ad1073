"""Owns what a person is told of a proposal before deciding: by the system, from what is stored, never by the model.

Must not know HTML, nor who may decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.db import router

from fsm_lifecycle.admin.agents import whose
from fsm_lifecycle.admin.agents.saying import DECISIONS
from fsm_lifecycle.admin.section.seen import url_of_record
from fsm_lifecycle.agents.approving import may_decide
from fsm_lifecycle.agents.outcomes import Step, model_of, record_of, steps_of
from fsm_lifecycle.agents.proposal import APPROVED, EXPIRED, PENDING, STALE, Proposal
from fsm_lifecycle.agents.risk import FOUR_EYES
from fsm_lifecycle.agents.run import FAILED, STOPPED
from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine.binding import SEQUENCE
from fsm_lifecycle.engine.visible_log import sight
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.presentation.badges import Badge, badge
from fsm_lifecycle.presentation.opened import Opened
from fsm_lifecycle.presentation.outlook import outlook
from fsm_lifecycle.presentation.people import full_names


@dataclass(frozen=True, slots=True)
class Told:
    """One event on one record."""

    title: str
    """``Resolve ticket 1571``."""
    record: str
    """The record's name where it may be seen, else its key."""
    record_url: str
    source: Badge | None
    targets: tuple[Badge, ...]
    arguments: tuple[tuple[str, str], ...]
    then: tuple[str, ...]
    """What else it does; what cannot be called back says so."""
    undo: str
    moved: bool = False
    """Whether the record has changed since it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One proposal as somebody sees it."""

    proposal: Proposal
    kind: str
    """What kind of record: ``ticket``."""
    title: str
    verb: str
    """What the button says behind “Approve and”."""
    steps: tuple[Told, ...]
    status: str
    tag: str
    asked_by: str
    agent: str
    own: bool
    """Whether it was asked for in this user's name."""
    may_decide: bool
    may_take_back: bool
    """Whether they may decline it, though not approve."""
    shows_arguments: bool
    decided_by: str
    decided_at: datetime | None
    why: str
    """Why it was declined, or came to nothing."""
    void: str = ""
    """Why it cannot be carried out any more, although nobody has decided."""
    entries: tuple[str, ...] = field(default=())
    """Hashes of the entries that it came to."""

    @property
    def open(self) -> bool:
        """Whether it waits for a person."""
        return self.proposal.status == PENDING and not self.void

    @property
    def single(self) -> Told | None:
        """Its only step, where it is no plan."""
        return self.steps[0] if not self.proposal.is_plan and self.steps else None


def facts(proposal: Proposal, user: Any, site: AdminSite) -> Facts:
    """What a user is told of a proposal."""
    model = model_of(proposal)
    kind = proposal.model_label if model is None else str(model._meta.verbose_name)
    may = may_decide(proposal, user) if proposal.status == PENDING else False
    arguments = may or whose.sees_arguments(proposal, user)
    steps = tuple(_told(proposal, step, model, user, site, arguments) for step in steps_of(proposal))
    one = steps[0] if not proposal.is_plan and steps else None
    many = kind if model is None else str(model._meta.verbose_name_plural)
    title = one.title if one is not None else f"{len(steps)} events on {many}, all or none"
    own = whose.is_own(proposal.run, user)
    words, tag = DECISIONS.get(proposal.status, (proposal.status, ""))
    void = _void(proposal)
    if void and proposal.status == PENDING:
        words, tag = DECISIONS[EXPIRED if proposal.is_expired else STALE]
    names = full_names({proposal.run.user_key, proposal.decided_by_key} - {""})
    label = _event_of(model, proposal.event)
    return Facts(
        proposal=proposal,
        kind=kind,
        title=title,
        verb=f"{label.label} {kind}".lower() if label is not None else f"do all {len(steps)}",
        steps=steps,
        status=words,
        tag=tag,
        asked_by=called(proposal.run.user_key, proposal.run.user, names, user),
        agent=whose.named(proposal.run.agent),
        own=own,
        may_decide=may and not void,
        may_take_back=own and not may and not void and proposal.status == PENDING,
        shows_arguments=arguments,
        decided_by=called(proposal.decided_by_key, proposal.decided_by, names, user),
        decided_at=proposal.decided_at,
        why=proposal.reason,
        void=void,
        entries=_entries(proposal),
    )


def waits_for(told: Facts) -> str:
    """For whom it waits."""
    if told.may_decide:
        return "waits for you"
    if told.proposal.mode == FOUR_EYES and told.own:
        return "waits for another person"
    return "waits for a person"


def _told(
    proposal: Proposal, step: Step, model: Any, user: Any, site: AdminSite, shows_arguments: bool
) -> Told:
    event = _event_of(model, step.event)
    if model is None or event is None:
        return Told(f"{step.event} {step.object_pk}", step.object_pk, "", None, (), (), (), "")
    kind, table = str(model._meta.verbose_name), model._lifecycle.table
    record = record_of(model, step.object_pk, user)
    name = step.object_pk if record is None else str(record)
    called = f"{kind}{name[len(kind) :]}" if name.lower().startswith(kind.lower()) else f"{kind} {name}"
    moved = record is not None and not proposal.is_plan and getattr(record, SEQUENCE) != step.sequence
    first = record is not None and not moved and proposal.status == PENDING and not proposal.is_plan
    state = getattr(record, model._lifecycle.state_name) if first else step.expected_state
    coming = outlook(model._lifecycle, event, record if first else None)
    given = step.arguments if shows_arguments else {}
    return Told(
        title=f"{event.label} {called}",
        record=called[:1].upper() + called[1:],
        record_url="" if record is None else url_of_record(site, record),
        source=None if not state else badge(table, state),
        targets=tuple(badge(table, target) for target in event.targets),
        arguments=tuple(_arguments(model, event, given)),
        # The first two lines say that the state changes and that an entry is written; the card shows the former.
        then=tuple(line.text for line in (*coming.at_once[2:], *coming.afterwards)),
        undo=coming.undo,
        moved=moved and proposal.status == PENDING,
    )


def _arguments(model: Any, event: Event, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    fields: Mapping[str, Any] = getattr(event.arguments, "base_fields", {})
    opened, found = Opened.nothing(model), []
    for name, value in given.items():
        field_, label = fields.get(name), opened.label(name)
        if field_ is not None and field_.label:
            label = str(field_.label)
        text = opened.text(name, value)
        choices = dict(getattr(field_, "choices", ()) or ()) if not hasattr(field_, "queryset") else {}
        if choices and isinstance(value, str | int) and value in choices:
            text = str(choices[value])
        found.append((label, text))
    return found


def _event_of(model: Any, name: str) -> Event | None:
    if model is None:
        return None
    event: Event | None = model._lifecycle.table.events.get(name)
    return event


def called(key: str, account: Any, names: Mapping[str, str], viewer: Any) -> str:
    """What a user with this key is called before ``viewer``; ``account`` is ``None`` when it is gone."""
    if not key:
        return ""
    if key == str(viewer.pk):
        return "you"
    return names.get(key) or (str(account) if account is not None else f"person {key}")


def _void(proposal: Proposal) -> str:
    if proposal.status != PENDING:
        return ""
    if proposal.is_expired:
        return "Nobody has decided in time. Nothing was changed."
    if proposal.run.status in (STOPPED, FAILED) or proposal.run.stop_requested:
        return "The run that asked for it was stopped. Nothing was changed."
    model = model_of(proposal)
    if model is None or model._lifecycle.fingerprint != proposal.fingerprint:
        return "The lifecycle has changed since it was asked for. Nothing was changed."
    return ""


def _entries(proposal: Proposal) -> tuple[str, ...]:
    outcome = proposal.outcome
    if proposal.status != APPROVED or not isinstance(outcome, dict):
        return ()
    done = outcome["steps"] if isinstance(outcome.get("steps"), list) else [outcome]
    return tuple(str(one["entry"]) for one in done if isinstance(one, dict) and one.get("entry"))


def entry_keys(hashes: list[str], user: Any) -> dict[str, int]:
    """The keys of the log's entries with these hashes that a user sees, for links."""
    if not hashes:
        return {}
    rows = TransitionLog.objects.using(router.db_for_read(TransitionLog)).filter(entry_hash__in=hashes)
    return {one.entry_hash: one.pk for one in sight(user).entries(rows)}
