"""Owns how a proposal is decided: approved, declined, or overtaken by time or by what happened meanwhile.

The stored arguments run, and everything is decided again under the lock, by the rights of the user who asked and of the
person who approves. Must not know which surface asks.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db import DatabaseError, router
from django.db.models import QuerySet

from fsm_lifecycle import conf
from fsm_lifecycle.access.actors import AgentActor, Approval, is_user
from fsm_lifecycle.access.codenames import concrete
from fsm_lifecycle.access.current import current_actor
from fsm_lifecycle.agents import answers
from fsm_lifecycle.agents.actor import Agent, as_if_approved, user_of
from fsm_lifecycle.agents.answers import Answer, refusal, success
from fsm_lifecycle.agents.firing import done, refused
from fsm_lifecycle.agents.outcomes import (
    Step,
    end,
    expire,
    model_of,
    record_of,
    state_of,
    steps_of,
    take,
    tell,
)
from fsm_lifecycle.agents.proposal import APPROVED, DECLINED, EXPIRED, FAILED, PENDING, STALE, Proposal
from fsm_lifecycle.agents.proposing import digest_of
from fsm_lifecycle.agents.resuming import resume
from fsm_lifecycle.agents.risk import FOUR_EYES
from fsm_lifecycle.agents.run import FAILED as RUN_FAILED
from fsm_lifecycle.agents.run import STOPPED
from fsm_lifecycle.agents.undecided import ProposalDecided, ProposalExpired, ProposalFailed, ProposalStale
from fsm_lifecycle.engine.decision import Denial
from fsm_lifecycle.engine.refusals import collecting, refuse
from fsm_lifecycle.exceptions import AccessDenied, InvalidArguments, LifecycleError, StaleState
from fsm_lifecycle.transactions import is_busy, writing

logger = logging.getLogger("fsm_lifecycle")


def approve(proposal: Proposal, *, by: Any, digest: str | None = None) -> Any:
    """See ``Proposal.approve``."""
    using = proposal._state.db or "default"
    now = _read(proposal, using)
    with collecting("approval"):
        person = _person(now, by)
        _refuse_without_right(now, person)
        _refuse_late(now, using)
        _refuse_outdated(now, digest, using)
        return _carried_out(now, person, using, proposal)


def decline(proposal: Proposal, *, by: Any, reason: str) -> None:
    """See ``Proposal.decline``."""
    using = proposal._state.db or "default"
    now = _read(proposal, using)
    with collecting("approval"):
        person = _person(now, by)
        text = reason.strip() if isinstance(reason, str) else ""
        if not text:
            raise InvalidArguments(
                "Say why: the agent is told, and can do better.", {"reason": ["This field is required."]}
            )
        if now.run.user_id != person.pk:  # who asked may always take it back
            _refuse_without_right(now, person, approving=False)
    _refuse_late(now, using)
    _refuse_gone(now, using)
    answer = refusal("declined", [text], state_of(now))
    if not end(now, using, DECLINED, answer, reason=text, by=person):
        raise _decided(_read(now, using))
    proposal.refresh_from_db()


# Who may


def may_decide(proposal: Proposal, user: Any) -> bool:
    """Whether a user may approve this now, as far as rights go. For pages; deciding asks again."""
    person, _ = _found(user)
    return person is not None and _right_missing(proposal, person) is None


def _refuse_without_right(proposal: Proposal, by: Any, *, approving: bool = True) -> None:
    """Raise ``AccessDenied`` where a user may not decide, and keep that on record; the proposal stays.

    Both people's rights are decided under the lock. Here it is said to who approves.
    """
    missing = _right_missing(proposal, by, approving=approving)
    if missing is not None:
        step, denial = missing
        raise _denied(proposal, by, denial, step)


def _person(proposal: Proposal, by: Any) -> Any:
    """Who decides, read from the database now. Raises ``AccessDenied`` for an agent, a program and whoever is gone."""
    person, why = _found(by)
    if person is not None:
        return person
    agent = current_actor()
    who = agent if isinstance(agent, AgentActor) else by
    raise _denied(proposal, who, Denial("access_denied", why), steps_of(proposal)[0])


def _found(by: Any) -> tuple[Any, str]:
    """The person as the database has the account now, or ``None`` and why there is none who could decide."""
    if isinstance(by, AgentActor) or isinstance(current_actor(), AgentActor):
        return None, "An agent never decides what agents ask for. Let a person do it."
    if not is_user(by) or not by.is_authenticated or by.pk is None:
        return None, f"{by!r} is no user. Only people decide what agents ask for: by=request.user."
    found = get_user_model()._base_manager.filter(pk=by.pk).first()
    if found is None or not found.is_active:
        return None, f"The account “{by}” is deactivated or gone."
    return found, ""


def _right_missing(proposal: Proposal, by: Any, *, approving: bool = True) -> tuple[Step, Denial] | None:
    """At which step a user has no right to decide, and what is said to that; ``None`` where there is none."""
    model = model_of(proposal)
    if model is None:
        return None
    steps = steps_of(proposal)
    if approving and proposal.mode == FOUR_EYES and str(by.pk) == proposal.run.user_key:
        why = "It takes another person: you cannot approve what was asked for you."
        return steps[0], Denial("four_eyes", why, steps[0].event)
    for step in steps:
        record = record_of(model, step.object_pk, by)
        if record is None:
            if record_of(model, step.object_pk) is None:
                continue  # gone: it is stale, for everybody
            why = "You may not see this record, so you cannot decide this."
            return step, Denial("access_denied", why, step.event)
        denials = record.decide(step.event, by).denials
        if denials and denials[0].code in ("access_denied", "four_eyes"):
            return step, denials[0]
    return None


def _denied(proposal: Proposal, who: Any, denial: Denial, step: Step) -> LifecycleError:
    """The exception for who may not decide; the refusal is on record where there is still such a record."""
    model = model_of(proposal)
    record = None if model is None else record_of(model, step.object_pk)
    if record is not None:
        event = record._lifecycle.table.events.get(step.event)
        refuse(record, who, refused(record, event, [denial]), record._state.db)
    return _no(AccessDenied, denial.reason, denial.code)


def _no(kind: type[LifecycleError], message: str, code: str) -> LifecycleError:
    error = kind(message)
    error.code = code
    return error


# When it is too late


def _read(proposal: Proposal, using: str) -> Proposal:
    rows: QuerySet[Proposal] = QuerySet(Proposal, using=using)
    return rows.select_related("run").get(pk=proposal.pk)


def _refuse_late(proposal: Proposal, using: str) -> None:
    if proposal.status == EXPIRED or proposal.is_expired:
        expire(proposal)
        raise ProposalExpired(
            f"Proposal {proposal.pk} was open until {proposal.expires_at:%Y-%m-%d %H:%M} UTC."
        )
    if proposal.status != PENDING:
        raise _decided(proposal)


def _decided(proposal: Proposal) -> LifecycleError:
    if proposal.status == EXPIRED:
        return ProposalExpired(f"Proposal {proposal.pk} expired.")
    if proposal.status == STALE:
        return ProposalStale(f"Proposal {proposal.pk} is stale. {proposal.reason}")
    error = ProposalDecided(f"Proposal {proposal.pk} was decided already: it is {proposal.status}.")
    error.proposal = proposal
    return error


def _refuse_outdated(proposal: Proposal, digest: str | None, using: str) -> None:
    """Raise ``ProposalStale`` where the table, the run or the proposal itself is no longer what it was."""
    run, model = proposal.run, model_of(proposal)
    if not conf.agents_enabled():
        raise _no(LifecycleError, "Agents are switched off. Nothing was done.", "disabled")
    why = ""
    if digest is not None and digest != proposal.digest:
        # What the page showed is not what is stored: nothing is done, and the proposal stays as it is.
        raise ProposalStale("What you were shown is not what is stored. Load the page again.")
    if digest_of(proposal) != proposal.digest:
        why = "The stored proposal was changed after it was made."
    elif run.status in (STOPPED, RUN_FAILED) or run.stop_requested:
        why = "The run that asked for it was stopped."
    elif model is None or model._lifecycle.fingerprint != proposal.fingerprint:
        why = "The lifecycle has changed since it was asked for."
    if why:
        end(proposal, using, STALE, refusal("stale_state", [why], state_of(proposal)), reason=why)
        raise ProposalStale(f"{why} Nothing was done.")


def _refuse_gone(proposal: Proposal, using: str) -> None:
    """Raise ``ProposalStale`` where there is nothing left to be asked for."""
    model = model_of(proposal)
    if model is not None and all(record_of(model, step.object_pk) for step in steps_of(proposal)):
        return
    why = "What it is about is gone."
    _fail(proposal, using, STALE, refusal("stale_state", [why]))
    raise ProposalStale(f"{why} Nothing was done.")


# Doing it


def _carried_out(proposal: Proposal, by: Any, using: str, shown: Proposal) -> Any:
    run = proposal.run
    try:
        with writing(using, savepoint=True):
            if not take(proposal, using, APPROVED, by=by):
                raise _decided(_read(proposal, using))
            entries = _all_fired(proposal, by)
            resume(run)  # locks the run first: who writes its events after that waits for nobody
            tell(proposal, using, _success(proposal, entries))
    except (ProposalDecided, ProposalExpired):
        raise
    except ProposalStale as error:
        if _read(proposal, using).status != PENDING:
            raise
        _fail(proposal, using, STALE, refusal("stale_state", [str(error)], state_of(proposal)))
        raise
    except StaleState as error:
        why = "The record has changed since it was asked for."
        _fail(proposal, using, STALE, refusal("stale_state", [why], state_of(proposal)))
        raise ProposalStale(f"{why} Nothing was done.") from error
    except LifecycleError as error:
        if isinstance(error, AccessDenied) and _asker_may(proposal):
            raise  # it was the approver who may not, since a moment ago: somebody else may decide
        _fail(proposal, using, FAILED, answers.of_error(error, state_of(proposal)))
        raise
    except DatabaseError as error:
        if not is_busy(error):
            raise
        raise StaleState("Another transaction was in the way. Nothing was done; approve it again.") from error
    except Exception as error:
        logger.exception("Proposal %s failed when it was carried out.", proposal.pk)
        texts = ["It was approved, and failed in its own code. Nothing was changed."]
        _fail(proposal, using, FAILED, refusal("effect_failed", texts, state_of(proposal)))
        raise ProposalFailed(
            f"Proposal {proposal.pk} was approved, and failed in the event's own code. Nothing was changed. The "
            f"server's log has the error."
        ) from error
    shown.refresh_from_db()
    return entries if proposal.is_plan else entries[0]


def _all_fired(proposal: Proposal, by: Any) -> list[Any]:
    """Every step in one transaction, where the records are: all of them or none."""
    model = model_of(proposal)
    if model is None:
        raise ProposalStale("There is no such lifecycle any more.")
    with writing(router.db_for_write(model), savepoint=True):
        return [_fired(proposal, step, by) for step in steps_of(proposal)]


def _fired(proposal: Proposal, step: Step, by: Any) -> Any:
    model = model_of(proposal)
    user = user_of(proposal.run)
    record = None if model is None else record_of(model, step.object_pk, user)
    if record is None:
        raise ProposalStale("The record is gone, or the user who asked may not see it any more.")
    approval = Approval(
        proposal=str(proposal.pk),
        by=by,
        model=concrete(model)._meta.label_lower,
        object_pk=step.object_pk,
        event=step.event,
        sequence=step.sequence,
    )
    return record.fire(
        step.event,
        actor=Agent(proposal.run, call=proposal.call, user=user, approval=approval),
        arguments=step.arguments,
        expected_state=step.expected_state,
        expected_sequence=step.sequence,
        idempotency_key=step.key,
    )


def _asker_may(proposal: Proposal) -> bool:
    """Whether the user who asked still has the right to all of it."""
    model, user = model_of(proposal), user_of(proposal.run)
    for step in steps_of(proposal):
        record = None if model is None else record_of(model, step.object_pk, user)
        if record is None:
            return False
        denials = record.decide(step.event, as_if_approved(proposal.run, user=user)).denials
        if denials and denials[0].code in ("access_denied", "four_eyes"):
            return False
    return True


def _success(proposal: Proposal, entries: Sequence[Any]) -> Answer:
    if not proposal.is_plan:
        return {**done(entries[0]), "proposal": proposal.pk, "approved": True}
    steps = [{"id": entry.object_pk, **done(entry)} for entry in entries]
    return success(steps=steps, proposal=proposal.pk, approved=True)


def _fail(proposal: Proposal, using: str, status: str, answer: Answer) -> None:
    end(proposal, using, status, answer, reason=" ".join(answer["reasons"]))
