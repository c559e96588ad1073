"""What agents ask for and what they did, over HTTP: proposals to decide, runs to read.

Decides nothing itself: ``approve`` and ``decline`` do, by the rights of the user who asked and of who decides. Must not
know language models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from django.db import connections, router, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.viewsets import ViewSetMixin

from fsm_lifecycle import registry
from fsm_lifecycle.access.visibility import visible
from fsm_lifecycle.agents.approving import may_decide
from fsm_lifecycle.agents.outcomes import model_of, record_of, steps_of
from fsm_lifecycle.agents.proposal import EXPIRED, PENDING, Proposal
from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.agents.undecided import ProposalDecided, ProposalExpired, ProposalFailed, ProposalStale
from fsm_lifecycle.api import paging
from fsm_lifecycle.api.documenting_agents import DOCUMENTS
from fsm_lifecycle.api.entries import Entries, as_json, moment
from fsm_lifecycle.api.firing import SURFACE
from fsm_lifecycle.api.idempotency import Once
from fsm_lifecycle.api.problem import Fault, Problem, invalid, not_found, of_decision, unreadable
from fsm_lifecycle.api.view import ApiView
from fsm_lifecycle.engine.refusals import collecting
from fsm_lifecycle.engine.visible_log import KeyText
from fsm_lifecycle.exceptions import AccessDenied, InvalidArguments, LifecycleError
from fsm_lifecycle.models import TransitionLog
from fsm_lifecycle.presentation.keys import readable

VIEW_RUNS: Final = "fsm_lifecycle.view_agentrun"
VIEW_PROPOSALS: Final = "fsm_lifecycle.view_proposal"
STATUSES: Final = ("pending", "approved", "declined", "stale", "expired", "failed")

_SAID: Final[tuple[tuple[type[LifecycleError], str, str], ...]] = (
    (ProposalExpired, "expired", "The time to decide is over."),
    (ProposalDecided, "already_decided", "Somebody has decided this already."),
    (
        ProposalStale,
        "stale_state",
        "The record or its table has changed since the agent looked. Nothing was done.",
    ),
    (ProposalFailed, "effect_failed", "Carrying it out failed in its own code. Nothing was changed."),
)


class AgentsViews(ViewSetMixin, ApiView):  # type: ignore[misc]
    """What proposals and runs share."""

    lookup_value_regex = "[^/]+"
    lookup_url_kwarg = "pk"
    _parameters: ClassVar[dict[str, tuple[str, ...]]] = {}
    what: ClassVar[str]

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """As the framework's. See ``ApiView.as_view``."""
        view = super().as_view(actions, **initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def documented(self, method: str) -> Any:
        """What the schema says of an operation."""
        return DOCUMENTS[f"{self.what}.{self.action}"]

    @property
    def parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        """The names that the query string may have."""
        return self._parameters.get(self.action or "", ())

    def paged(self, rows: QuerySet[Any], represent: Callable[[Any], dict[str, Any]]) -> Response:
        """One page of rows, newest first."""
        size = self.whole_number("page_size", least=1, most=paging.MOST) or paging.PAGE
        order = paging.Order("-id", rows.model._meta.pk)
        found, cursor = paging.page(rows, order, self.parameter("cursor"), size)
        address = paging.next_address(self.request, "cursor", cursor)
        return Response({"next": address, "results": [represent(one) for one in found]})

    def one(self, rows: QuerySet[Any]) -> Any:
        """The row that the address names, or ``None``."""
        text = str(self.kwargs["pk"])
        keys = readable(rows, [text])
        return rows.filter(pk=keys[0]).first() if keys and str(keys[0]) == text else None


class ProposalsViewSet(AgentsViews):
    """Proposals: those asked for in one's own name, and those about records that one may see."""

    what = "proposals"
    _parameters: ClassVar[dict[str, tuple[str, ...]]] = {"list": ("status", "cursor", "page_size")}

    def list(self, request: Any) -> Response:
        """The proposals that the user may see. Plans of others are seen one by one."""
        self.refuse_unknown_parameters()
        rows = _proposals()
        if (status := self.parameter("status")) is not None:
            if status not in STATUSES:
                raise unreadable("status", f"There is {', '.join(STATUSES)}.")
            rows = rows.filter(_of_status(status))
        if not request.user.has_perm(VIEW_PROPOSALS):
            rows = rows.filter(_seen_by(request.user, rows.db))
        return self.paged(rows, self.represent)

    def retrieve(self, request: Any, pk: str) -> Response:
        """One proposal."""
        proposal = self.get_proposal()
        self.refuse_unknown_parameters()
        return Response(self.represent(proposal))

    @action(detail=True, methods=["post"])  # type: ignore[untyped-decorator]
    def approve(self, request: Any, pk: str) -> Any:
        """Carry it out, with the arguments as they are stored."""
        return self._decide(("digest",), lambda proposal, given: _approved(proposal, request.user, given))

    @action(detail=True, methods=["post"])  # type: ignore[untyped-decorator]
    def decline(self, request: Any, pk: str) -> Any:
        """Say no, and why."""
        return self._decide(("reason",), lambda proposal, given: _declined(proposal, request.user, given))

    def _decide(self, known: Sequence[str], decide: Callable[[Proposal, dict[str, Any]], Any]) -> Any:
        proposal = self.get_proposal()

        def judge() -> None:
            if not may_decide(proposal, self.request.user) and not _is_own(proposal.run, self.request.user):
                raise _denied("access_denied")

        given = self.keeping_order(judge, lambda: self._given(known))
        using = proposal._state.db or "default"
        once = Once(self.request, given, label=proposal.model_label, object_pk=proposal.object_pk)

        def work() -> Response:
            try:
                made = decide(proposal, given)
            except LifecycleError as error:
                problem = _problem(error)
                if problem.status == 403 or problem.code == "invalid_arguments":
                    raise problem from error
                # It came to an end by this, which stays so: not rolled back with the answer.
                return self.answer_problem(problem)
            return Response({"entries": made, "proposal": self.represent(_proposals().get(pk=proposal.pk))})

        with collecting(SURFACE):  # what is refused stays on record when the transaction goes
            return once.run(using, work, lambda row: judge()) if once else work()

    def _given(self, known: Sequence[str]) -> dict[str, Any]:
        self.refuse_unknown_parameters()
        given = self.body(known) if self.has_body() else {}
        for name, value in given.items():
            if not isinstance(value, str):
                raise unreadable(name, "Give a text.")
        return given

    def get_proposal(self) -> Proposal:
        """The proposal of the address. 404 where there is none to be seen."""
        found: Proposal | None = self.one(_proposals())
        if found is None or not _sees(found, self.request.user):
            raise not_found()
        return found

    def represent(self, proposal: Proposal) -> dict[str, Any]:
        """A proposal as plain JSON values; what exactly it does is for who asked, decides, or looks after them."""
        user = self.request.user
        own = _is_own(proposal.run, user)
        decides = may_decide(proposal, user)
        told = own or decides or bool(user.has_perm(VIEW_PROPOSALS))
        return {
            "id": proposal.pk,
            "run": proposal.run_id,
            "agent": proposal.run.agent,
            "asked_for": proposal.run.user_key,
            "model": proposal.model_label,
            "mode": proposal.mode,
            "status": "expired" if proposal.is_expired else proposal.status,
            "may_decide": decides and proposal.status == PENDING and not proposal.is_expired,
            "digest": proposal.digest,
            "steps": [
                {
                    "record": step.object_pk,
                    "event": step.event,
                    "arguments": as_json(step.arguments) if told else None,
                    "sequence": step.sequence,
                }
                for step in steps_of(proposal)
            ],
            "reason": proposal.reason if told else "",
            "decided_by": proposal.decided_by_key or None,
            "created_at": moment(proposal.created_at),
            "expires_at": moment(proposal.expires_at),
            "decided_at": moment(proposal.decided_at),
        }


class RunsViewSet(AgentsViews):
    """Runs: one's own, and all with the permission to look at them."""

    what = "runs"
    _parameters: ClassVar[dict[str, tuple[str, ...]]] = {"list": ("cursor", "page_size")}

    def list(self, request: Any) -> Response:
        """The runs that the user may see."""
        self.refuse_unknown_parameters()
        return self.paged(self.runs(), represent_run)

    def retrieve(self, request: Any, pk: str) -> Response:
        """One run."""
        found = self.one(self.runs())
        if found is None:
            raise not_found()
        self.refuse_unknown_parameters()
        return Response(represent_run(found))

    def runs(self) -> QuerySet[AgentRun]:
        """The runs that the user may see."""
        rows: QuerySet[AgentRun] = QuerySet(AgentRun, using=router.db_for_write(AgentRun))
        user = self.request.user
        return rows if user.has_perm(VIEW_RUNS) else rows.filter(user_key=str(user.pk))


def represent_run(run: AgentRun) -> dict[str, Any]:
    """A run as plain JSON values."""
    return {
        "id": run.pk,
        "agent": run.agent,
        "user": run.user_key,
        "model": run.model,
        "surface": run.surface,
        "conversation": str(run.conversation),
        "prompt": run.prompt,
        "status": run.status,
        "stop_reason": run.stop_reason,
        "answer": run.answer,
        "turns": run.turns,
        "tool_calls": run.tool_calls,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cost": str(run.cost),
        "created_at": moment(run.created_at),
        "finished_at": moment(run.finished_at),
    }


def _proposals() -> QuerySet[Proposal]:
    rows: QuerySet[Proposal] = QuerySet(Proposal, using=router.db_for_write(Proposal))
    return rows.select_related("run")


def _of_status(status: str) -> Q:
    """Those that are shown with a status: what nobody decided in time has expired, whether or not it says so yet."""
    late = Q(status=PENDING, expires_at__lte=timezone.now())
    if status == PENDING:
        return Q(status=PENDING) & ~late
    return Q(status=EXPIRED) | late if status == EXPIRED else Q(status=status)


def _seen_by(user: Any, using: str) -> Q:
    """One's own, and those about one record that the user may see."""
    seen = Q(run__user_key=str(user.pk))
    for model in registry.lifecycles():
        records = visible(QuerySet(model, using=using), user).order_by()
        label = model._meta.label_lower
        seen |= Q(model_label=label, object_pk__in=records.values_list(KeyText(model)))
    return seen


def _sees(proposal: Proposal, user: Any) -> bool:
    if _is_own(proposal.run, user) or user.has_perm(VIEW_PROPOSALS):
        return True
    model = model_of(proposal)
    keys = {step.object_pk for step in steps_of(proposal)}
    return model is not None and all(record_of(model, key, user) is not None for key in keys)


def _is_own(run: AgentRun, user: Any) -> bool:
    return str(run.user_key) == str(user.pk)


def _approved(proposal: Proposal, user: Any, given: dict[str, Any]) -> Any:
    made = proposal.approve(by=user, digest=given.get("digest"))
    entries = Entries()
    return [entries.represent(one) for one in ([made] if isinstance(made, TransitionLog) else made)]


def _declined(proposal: Proposal, user: Any, given: dict[str, Any]) -> Any:
    proposal.decline(by=user, reason=given.get("reason", ""))
    return []


def _problem(error: LifecycleError) -> Problem:
    for kind, code, words in _SAID:
        if isinstance(error, kind):
            return Problem(code, words)
    if error.decision is not None and error.decision.denials:
        return of_decision(error.decision)
    if isinstance(error, AccessDenied):
        return _denied(error.code)
    if isinstance(error, InvalidArguments):
        return invalid([Fault(name, " ".join(texts)) for name, texts in error.errors.items()])
    return Problem("undecidable", "This cannot be decided now. Nothing was done.")


def _denied(code: str) -> Problem:
    if code == "four_eyes":
        return Problem("four_eyes", "It takes another person than the one it was asked for.")
    return Problem(
        "access_denied", "You may not decide this: it takes the event's own right on every record."
    )
