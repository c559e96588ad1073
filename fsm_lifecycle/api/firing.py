"""Firing one event on one record over HTTP, and what could be fired.

Evaluates no rule: who may is asked of the engine first, because it is answered before what else is wrong with a
request; the rest ``fire()`` judges itself. Must not know other records.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final

from django.db import DatabaseError
from rest_framework.response import Response

from fsm_lifecycle import conf
from fsm_lifecycle.api.asked import OF_ONE, Asked
from fsm_lifecycle.api.entity_tags import Preconditions
from fsm_lifecycle.api.entries import Entries
from fsm_lifecycle.api.idempotency import Once
from fsm_lifecycle.api.problem import Problem, effect_failed, invalid, of_decision, of_denials
from fsm_lifecycle.api.records import RecordViews
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.engine.argument_schema import schema_of
from fsm_lifecycle.engine.asking import asked
from fsm_lifecycle.engine.binding import Plan
from fsm_lifecycle.engine.decide import unknown_event
from fsm_lifecycle.engine.decision import Decision, Denial
from fsm_lifecycle.engine.refusals import collecting, refuse
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger.canonical import Unrecordable
from fsm_lifecycle.transactions import writing

logger = logging.getLogger("fsm_lifecycle")

SURFACE: Final = "api"
#: Denials about who asks. They come before anything else that is wrong with a request.
ABOUT_WHO: Final = ("access_denied", "four_eyes", "approval_required")
#: Denials that come before those of the arguments.
ABOUT_WHEN: Final = ("stale_state", "terminal_state", "wrong_state")


class FiringViews(RecordViews):
    """Views that fire one event."""

    def fire(self, name: str) -> Any:
        """Fire an event on the record of the address."""
        with collecting(SURFACE):
            record = self.get_object()
            plan = self.plan_of(name, record)

            def judge() -> None:
                self.judge_who(record, plan)

            try:
                wanted, once = self.keeping_order(judge, lambda: self._read(record, plan))
            except Problem as problem:
                if problem.code == "unknown_argument":
                    self.keep_refusal(record, plan, problem)
                raise
            conditions = Preconditions(self.request.headers)
            if once or conditions or conf.api_require_if_match():
                # Answered by our own look at things, so who may see them is asked before.
                self.judge_who(record, plan, repeating=self._is_repeated(once, record))
            work = self._work(record, plan, wanted, conditions)
            if not once:
                return work()

            def again(row: Any) -> None:
                if not once.is_same(row):
                    self.check_conditions(conditions, record)

            with self.writing_told(record):
                return once.run(self.writes_to(record), work, again)

    def _read(self, record: Any, plan: Plan) -> tuple[Asked, Once]:
        self.refuse_unknown_parameters()
        body = self.body(OF_ONE) if self.has_body() else {}
        wanted = Asked.read(plan, body)
        return wanted, Once(self.request, body, label=self.binding.label, object_pk=key_text(record.pk))

    def _is_repeated(self, once: Once, record: Any) -> bool:
        row = once.earlier(self.writes_to(record)) if once else None
        return row is not None and once.is_same(row)

    def plan_of(self, name: str, record: Any) -> Plan:
        """The event. Raises 404 for one that there is not, and puts it on record."""
        plan = self.binding.plan(name)
        if plan is None:
            decision = unknown_event(self.binding, name, getattr(record, self.binding.state_name))
            refuse(record, self.request.user, decision, self.writes_to(record))
            raise of_decision(decision)
        return plan

    def judge_who(self, record: Any, plan: Plan, *, repeating: bool = False) -> None:
        """Raise 403, and put it on record, unless this user may fire the event on this record.

        ``repeating``: only an answer is repeated, so having done it is no bar to seeing it again.
        """
        user = self.request.user
        denial, _ = asked(self.binding, record, user, plan.event).answer(plan)
        if denial is None or (repeating and denial.code != "access_denied"):
            return
        decision = record.decide(plan.event, actor=user)
        refuse(record, user, decision, self.writes_to(record))
        raise of_decision(decision)

    def _work(
        self, record: Any, plan: Plan, wanted: Asked, conditions: Preconditions
    ) -> Callable[[], Response]:
        held = bool(conditions) or conf.api_require_if_match()

        def work() -> Response:
            # A version can be compared only while nobody else can change it.
            with writing(self.writes_to(record), savepoint=True) if held else nullcontext():
                target = self.locked(record) if held else record
                if held:
                    self.check_conditions(conditions, target)
                entry = self._carry_out(target, plan, wanted)
            shown = Entries({self.binding.label: self.opened()}).represent(entry)
            return Response({"entry": shown, "record": self.fresh(target)})

        return work

    def _carry_out(self, record: Any, plan: Plan, wanted: Asked) -> Any:
        user = self.request.user
        if wanted.faults:
            decision = record.decide(
                plan.event,
                actor=user,
                expected_state=wanted.expected_state,
                expected_sequence=wanted.expected_sequence,
            )
            self._refuse_if(decision, record)
            problem = invalid(wanted.faults)
            self.keep_refusal(record, plan, problem)
            raise problem
        with self.writing_told(record), self._effects_told(plan):
            return record.fire(
                plan.event,
                actor=user,
                arguments=wanted.arguments,
                metadata=wanted.metadata,
                expected_state=wanted.expected_state,
                expected_sequence=wanted.expected_sequence,
            )

    @contextmanager
    def _effects_told(self, plan: Plan) -> Iterator[None]:
        """Inside, what an effect raises becomes a ``Problem``, as it does where several records are fired upon."""
        try:
            yield
        except (LifecycleError, DatabaseError, Unrecordable, OverflowError):
            raise
        except Exception as error:
            if not plan.inside:
                raise
            logger.exception("An effect of %s failed: %s", plan.name, self.request.path)
            raise effect_failed() from error

    def _refuse_if(self, decision: Decision, record: Any) -> None:
        """Raise what comes before the arguments, which do not fit anyway."""
        before = [d for d in decision.denials if d.code in (*ABOUT_WHO, *ABOUT_WHEN)]
        if before:
            refuse(record, self.request.user, decision, self.writes_to(record))
            raise of_denials(before)

    def keep_refusal(self, record: Any, plan: Plan, problem: Problem) -> None:
        """Put on record that what was given with the event is refused, which the engine was not asked."""
        state = getattr(record, self.binding.state_name)
        denials = [Denial("invalid_arguments", fault.detail, fault.name) for fault in problem.faults]
        decision = Decision(
            allowed=False, event=plan.event, source=state, target=plan.target, denials=tuple(denials)
        )
        refuse(record, self.request.user, decision, self.writes_to(record))

    def represent_event(self, record: Any, plan: Plan) -> dict[str, Any]:
        """One event of a record: whether this user could fire it now, and if not, every reason."""
        event = plan.event
        decision = record.decide(event, actor=self.request.user)
        return {
            "name": event.name,
            "label": str(event.label),
            "description": str(event.description),
            "allowed": decision.allowed,
            "to": None if decision.target is None else str(decision.target),
            "from": [str(source) for source in decision.valid_sources],
            "compensating": event.compensating,
            "hidden": event.hidden,
            "arguments": schema_of(plan.form),
            "pending_guards": list(decision.pending_guards),
            "denials": [
                {"code": denial.code, "reason": denial.reason, "name": denial.name}
                for denial in decision.denials
            ],
        }
