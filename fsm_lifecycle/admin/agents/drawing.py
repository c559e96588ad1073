"""Owns how the pieces of a conversation are drawn for one reader: the same HTML for a page and for the stream.

Whatever a model, a record or a person wrote is escaped by the templates, and nothing of it becomes a link. Must not
know where the pieces come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.db import router
from django.template.loader import render_to_string

from fsm_lifecycle.admin.agents import whose
from fsm_lifecycle.admin.agents.facts import Facts, called, entry_keys, facts, waits_for
from fsm_lifecycle.admin.agents.thread import Piece, Thread
from fsm_lifecycle.admin.section.page import url_of
from fsm_lifecycle.agents.event import AgentEvent
from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.presentation.keys import readable
from fsm_lifecycle.presentation.people import full_names

_PIECE = "admin/fsm_lifecycle/section/agents/piece.html"


class Reader:
    """Who reads, and what every piece on their page needs. Made once for a page or a stream."""

    def __init__(self, site: AdminSite, user: Any, csrf_token: str, *, back: bool) -> None:
        self.site = site
        self.user = user
        self.csrf_token = csrf_token
        self.back = back
        """Whether who decides comes back to the conversation."""
        self.sees_log = user.has_perm("fsm_lifecycle.view_transitionlog")
        self.sees_refusals = user.has_perm("fsm_lifecycle.view_refusedattempt")

    def draw(self, piece: Piece, run: AgentRun, entries: dict[str, int] | None = None) -> str:
        """One piece as HTML."""
        if entries is None:
            entries = self.entries([piece])
        told = self._facts(piece)
        entry = entries.get(piece.entry) if piece.entry else None
        if piece.by:
            piece.title = f"Stopped by {person_called(piece.by, self.user)}."
        return render_to_string(
            _PIECE,
            {
                "piece": piece,
                "agent": whose.named(run.agent),
                "person": "You" if whose.is_own(run, self.user) else _name(run),
                "csrf_token": self.csrf_token,
                "entry_url": "" if entry is None else f"{url_of(self.site, 'log')}{entry}/",
                "refusals_url": self._refusals_url(piece),
                **(ask_context(told, self.site, self.user, entries) if told is not None else {}),
                "back": self.back and whose.is_own(run, self.user),
                "in_chat": True,
            },
        )

    def draw_all(self, thread: Thread, entries: dict[str, int] | None = None) -> list[str]:
        """Every piece of a run."""
        pieces = list(thread.pieces.values())
        known = self.entries(pieces) if entries is None else entries
        return [self.draw(piece, thread.run, known) for piece in pieces]

    def entries(self, pieces: Iterable[Piece]) -> dict[str, int]:
        """The keys of the log's entries that pieces name, as far as the reader sees them."""
        hashes = [piece.entry for piece in pieces if piece.entry]
        return entry_keys(hashes, self.user) if self.sees_log and hashes else {}

    def _facts(self, piece: Piece) -> Facts | None:
        if piece.proposal is None:
            return None
        proposal = whose.proposals().filter(pk=piece.proposal).first()
        return None if proposal is None else facts(proposal, self.user, self.site)

    def _refusals_url(self, piece: Piece) -> str:
        return url_of(self.site, "refusals") if piece.refused and self.sees_refusals else ""


def ask_context(
    told: Facts, site: AdminSite, user: Any, entries: dict[str, int] | None = None
) -> dict[str, Any]:
    """What the card of a proposal needs."""
    keys = entry_keys(list(told.entries), user) if user.has_perm("fsm_lifecycle.view_transitionlog") else {}
    log = url_of(site, "log")
    return {
        "ask": told,
        "waits_for": waits_for(told),
        "proposal_url": url_of(site, "proposal", pk=told.proposal.pk),
        "ask_entries": [f"{log}{keys[one]}/" for one in told.entries if one in keys],
    }


def threads_of(runs: Sequence[AgentRun]) -> list[Thread]:
    """Runs, each with everything that has happened in it: one statement for all."""
    threads = {run.pk: Thread(run) for run in runs}
    using = router.db_for_write(AgentEvent)
    events = AgentEvent.objects.using(using).filter(run_id__in=list(threads)).order_by("run_id", "seq")
    for event in events:
        threads[event.run_id].take(event)
    return list(threads.values())


def person_called(key: str, viewer: Any) -> str:
    """What a person with this key is called before ``viewer``."""
    users: Any = get_user_model()._base_manager.all()
    account = users.filter(pk__in=readable(users, [key])).first()
    return called(key, account, full_names([key] if key else []), viewer)


def _name(run: AgentRun) -> str:
    return str(run.user) if run.user is not None else f"Person {run.user_key}"
