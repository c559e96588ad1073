"""Firing one event on several records in one request: each is answered for itself.

Records that are not there and records that the user may not see get the same answer. Must not know how one record is
fired upon.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import connections
from django.db.models import QuerySet
from rest_framework.response import Response

from fsm_lifecycle import conf
from fsm_lifecycle.api.asked import OF_MANY, AskedOfMany
from fsm_lifecycle.api.entity_tags import Preconditions
from fsm_lifecycle.api.firing import ABOUT_WHEN, ABOUT_WHO, SURFACE, FiringViews
from fsm_lifecycle.api.idempotency import Once
from fsm_lifecycle.api.problem import NOT_ALLOWED, Problem, invalid, not_found, of_decision, of_denials
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.engine.asking import asked_now
from fsm_lifecycle.engine.binding import Plan
from fsm_lifecycle.engine.bulk import NOT_ATTEMPTED, RecordResult
from fsm_lifecycle.engine.decide import unknown_event
from fsm_lifecycle.engine.refusals import collecting, refuse
from fsm_lifecycle.presentation.keys import readable


class FiringManyViews(FiringViews):
    """Views that fire one event on several records."""

    def fire_many(self, name: str) -> Any:
        """Fire an event on the records of the body."""
        plan = self.binding.plan(name)
        if plan is None:
            raise of_decision(unknown_event(self.binding, name))
        self.refuse_unknown_parameters()
        body = self.body(OF_MANY)
        wanted = AskedOfMany.read(plan, body, conf.api_bulk_limit())
        once = Once(self.request, body, label=self.binding.label)
        conditions = Preconditions(self.request.headers)

        def work() -> Response:
            conditions.check(lambda: "")  # several records have no version in common
            return self._carry_out_many(plan, wanted)

        def again(row: Any) -> None:
            if once.is_same(row):
                self._judge_again(plan, wanted, row)

        with collecting(SURFACE), self.writing_told():
            return once.run(self.writes_to(), work, again) if once else work()

    def _carry_out_many(self, plan: Plan, wanted: AskedOfMany) -> Response:
        seen = self._seen(wanted)
        free = self._free(seen)
        barred = {text: Problem("access_denied", NOT_ALLOWED) for text in seen.keys() - free.keys()}
        before = {str(one): barred.get(str(one), not_found()) for one in wanted.ids if str(one) not in free}
        if wanted.asked.faults:
            for row in self.records().filter(pk__in=free.values()):
                before[key_text(row.pk)] = self._why_unfit(row, plan, wanted)
            told = [self._refused(one, before.get(str(one), not_found())) for one in wanted.ids]
            return self._answer_many(told)
        results: dict[str, RecordResult] = {}
        batch = None
        if free and (len(free) == len(wanted.ids) or not wanted.all_or_nothing):
            rows: Any = self.model._default_manager.using(self.writes_to()).filter(pk__in=free.values())
            done = rows.fire(
                plan.event,
                actor=self.request.user,
                arguments=wanted.asked.arguments,
                metadata=wanted.asked.metadata,
                all_or_nothing=wanted.all_or_nothing,
            )
            results = {key_text(result.pk): result for result in done.results}
            batch = done.batch
        told = [self._told(one, before.get(str(one)), results.get(str(one))) for one in wanted.ids]
        return self._answer_many(told, batch)

    def _answer_many(self, told: list[dict[str, Any]], batch: str | None = None) -> Response:
        succeeded = sum(one["status"] == 200 for one in told)
        return Response(
            {
                "results": told,
                "succeeded": succeeded,
                "failed": sum(one["code"] != NOT_ATTEMPTED.code for one in told if one["status"] != 200),
                "batch": batch,
            }
        )

    def _why_unfit(self, record: Any, plan: Plan, wanted: AskedOfMany) -> Problem:
        """Why arguments of the wrong shape are refused for one record: for what comes before them, else for that."""
        user = self.request.user
        decision = record.decide(plan.event, actor=user)
        before = [denial for denial in decision.denials if denial.code in (*ABOUT_WHO, *ABOUT_WHEN)]
        if not before:
            problem = invalid(wanted.asked.faults)
            self.keep_refusal(record, plan, problem)
            return problem
        refuse(record, user, decision, self.writes_to(record))
        return of_denials(before)

    def _seen(self, wanted: AskedOfMany) -> dict[str, Any]:
        """The keys, by their texts, of those records that the user may see."""
        rows = self.records()
        values = [value for one in wanted.ids for value in readable(rows, [str(one)])]
        texts = {str(one) for one in wanted.ids}
        found: QuerySet[Any] = rows.filter(pk__in=values).order_by()
        return {key_text(key): key for key in found.values_list("pk", flat=True) if key_text(key) in texts}

    def _free(self, seen: dict[str, Any]) -> dict[str, Any]:
        """Those of the records on which permission classes of the project's let the user do something."""
        permissions = self.get_permissions()
        if not permissions or not seen:
            return seen
        rows = self.records().filter(pk__in=seen.values())
        free = {
            key_text(row.pk)
            for row in rows
            if all(one.has_object_permission(self.request, self, row) for one in permissions)
        }
        return {text: key for text, key in seen.items() if text in free}

    def _told(self, given: str | int, before: Problem | None, result: RecordResult | None) -> dict[str, Any]:
        if before is not None:
            return self._refused(given, before)
        if result is None:
            return self._refused(given, of_denials([NOT_ATTEMPTED]))
        if not result.ok:
            return self._refused(given, of_denials(result.denials))
        return {"id": given, "status": 200, "from": result.from_state, "to": result.to_state}

    def _refused(self, given: str | int, problem: Problem) -> dict[str, Any]:
        body = problem.body(self.request.path)
        return {"id": given, **{name: body[name] for name in ("status", "code", "title", "detail", "errors")}}

    def _judge_again(self, plan: Plan, wanted: AskedOfMany, row: Any) -> None:
        """Before an answer is repeated: the user still may see these records, and fire the event on them."""
        kept = row.body and self._done(row)
        seen = self._free(self._seen(wanted))
        done = {one: seen[one] for one in kept or () if one in seen}
        if kept and len(done) < len(kept):
            raise not_found()
        connection = connections[self.writes_to()]
        rights = asked_now(self.binding, connection, self.request.user, plan, list(done.values()))
        for access in rights.values():
            denial, _ = access.answer(plan)
            if denial is not None and denial.code == "access_denied":
                raise of_denials([denial])

    def _done(self, row: Any) -> list[str]:
        return [str(one["id"]) for one in json.loads(row.body)["results"] if one["status"] == 200]
