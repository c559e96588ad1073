"""The ledger over HTTP: the log in leaf order, one entry, its proof, the checkpoints.

Must not know how a proof is made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rest_framework.response import Response

from fsm_lifecycle.api import leaves, paging
from fsm_lifecycle.api.documenting import log_documents
from fsm_lifecycle.api.entries import Entries, moment
from fsm_lifecycle.api.problem import Problem, not_found, unreadable
from fsm_lifecycle.api.view import ApiView
from fsm_lifecycle.engine.visible_log import sight
from fsm_lifecycle.ledger.prove import NotProvable, prove
from fsm_lifecycle.models import Checkpoint, LogLeaf, TransitionLog
from fsm_lifecycle.registry import lifecycles

_is_hash = re.compile("[0-9a-f]{64}").fullmatch


class LedgerView(ApiView):
    """A view of the log."""

    documented = log_documents

    @property
    def log_alias(self) -> str:
        """Where the log is."""
        return str(TransitionLog.objects.db)

    def labels(self) -> list[str] | None:
        """The logs that ``models`` names; ``None`` for all."""
        wanted = self.parameter("models")
        if wanted is None:
            return None
        known = {model._meta.label_lower: model._lifecycle.label for model in lifecycles()}
        known |= {label: label for label in known.values()}
        names = wanted.split(",")
        if strange := [name for name in names if name not in known]:
            raise unreadable(
                "models", f"No lifecycle is called {', '.join(strange)[:100]}. There are: {', '.join(known)}."
            )
        return [known[name] for name in names]

    def visible_entry(self, entry_hash: str) -> TransitionLog:
        """The entry of a hash. 404 where there is none that the user may see."""
        rows = TransitionLog.objects.using(self.log_alias)
        seen = sight(self.request.user, self.log_alias)
        found = (
            seen.entries(rows.filter(entry_hash=entry_hash)).order_by().first()
            if _is_hash(entry_hash)
            else None
        )
        if found is None:
            raise not_found()
        return found

    def leaf_of(self, entry: TransitionLog) -> int | None:
        """Where the entry stands in the tree; ``None`` before it is sealed."""
        leaf = LogLeaf.objects.using(self.log_alias).filter(entry_id=entry.pk).first()
        return None if leaf is None else leaf.leaf_index


class LogView(LedgerView):
    """The log in leaf order, as far as it may be seen: what the stream sends, to be asked for.

    Asked without ``after``, it ends with what is committed and not sealed yet, which has no place in that order.
    """

    parameters = ("models", "after", "page_size")

    def get(self, request: Any) -> Response:
        """One page. ``after`` is where to go on, also at the end, where ``next`` is null."""
        self.refuse_unknown_parameters()
        after, labels, using = self.whole_number("after"), self.labels(), self.log_alias
        size = self.whole_number("page_size", least=1, most=paging.MOST) or paging.PAGE
        batch = leaves.read(request.user, after=after, labels=labels, size=size, using=using)
        found: list[tuple[int | None, TransitionLog]] = list(batch.entries)
        if after is None and not batch.more:
            rest = leaves.not_sealed(request.user, labels=labels, size=size - len(found), using=using)
            found += [(None, entry) for entry in rest]
        entries = Entries()
        return Response(
            {
                "next": paging.next_address(request, "after", batch.after if batch.more else None),
                "after": batch.after,
                "results": [entries.represent(entry, leaf_index=index) for index, entry in found],
            }
        )


class EntryView(LedgerView):
    """One entry."""

    def get(self, request: Any, entry_hash: str) -> Response:
        """The entry, sealed or not."""
        entry = self.visible_entry(entry_hash)
        self.refuse_unknown_parameters()
        return Response(Entries().represent(entry, leaf_index=self.leaf_of(entry)))


class ProofView(LedgerView):
    """The proof that an entry is in the log."""

    def get(self, request: Any, entry_hash: str) -> Response:
        """A bundle that can be checked without Django, without the values that the API has not opened."""
        entry = self.visible_entry(entry_hash)
        self.refuse_unknown_parameters()
        try:
            return Response(prove(entry.entry_hash, self.log_alias, body=False))
        except NotProvable as error:
            why = (
                "The ledger contradicts this entry. Tell whoever looks after it."
                if error.damaged
                else "The entry is not sealed, or no checkpoint covers it yet. Ask again later."
            )
            raise Problem("not_provable", why) from error


class CheckpointsView(LedgerView):
    """The signed heads of the tree."""

    parameters = ("cursor", "page_size")

    def get(self, request: Any) -> Response:
        """One page, newest first."""
        self.refuse_unknown_parameters()
        rows = Checkpoint.objects.using(self.log_alias)
        size = self.whole_number("page_size", least=1, most=paging.MOST) or paging.PAGE
        order = paging.Order("-id", Checkpoint._meta.pk)
        found, cursor = paging.page(rows, order, self.parameter("cursor"), size)
        return Response(
            {
                "next": paging.next_address(request, "cursor", cursor),
                "results": represent_checkpoints(found),
            }
        )


class LatestCheckpointView(LedgerView):
    """The newest head of the tree."""

    def get(self, request: Any) -> Response:
        """One checkpoint; 404 before the first."""
        self.refuse_unknown_parameters()
        found = represent_checkpoints(Checkpoint.objects.using(self.log_alias).order_by("-id")[:1])
        if not found:
            raise not_found()
        return Response(found[0])


def represent_checkpoints(found: Sequence[Checkpoint] | Any) -> list[dict[str, Any]]:
    """Checkpoints as plain JSON values."""
    return [
        {
            "tree_size": one.tree_size,
            "root_hash": one.root_hash,
            "signed": one.is_signed,
            "note": one.note,
            "created_at": moment(one.created_at),
        }
        for one in found
    ]
