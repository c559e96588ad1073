"""Owns checkpoints as people read them, and their downloads: one as its note, all as an archive of notes.

Must not know how checkpoints are made.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from fsm_lifecycle.admin.section import choosing
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.note import NoteMismatch, parse_checkpoint

_LARGEST = 2**63 - 1

Answer = TypeVar("Answer", bound=HttpResponseBase)


@dataclass(frozen=True, slots=True)
class Row:
    """One checkpoint as a row of the list."""

    checkpoint: Checkpoint
    root: str
    """The root as the note writes it, shortened."""
    keys: list[tuple[str, str]]
    """Name and id of each key that signed; whether rightly is for ``lifecycle_verify`` to say."""
    url: str
    readable: bool = True
    """Whether the stored note is one."""


def row_of(checkpoint: Checkpoint, url: str) -> Row:
    """A checkpoint as a row."""
    try:
        _, signatures = parse_checkpoint(checkpoint.note)
        root = checkpoint.note.splitlines()[2]
    except NoteMismatch:
        return Row(checkpoint, checkpoint.root_hash[:8], [], url, readable=False)
    keys = [(one.name, one.key_id.hex()) for one in signatures]
    return Row(checkpoint, f"{root[:8]}…{root[-4:]}", keys, url)


class CheckpointPage(Page):
    """One checkpoint's note, as its file outside the database has it."""

    name = "checkpoint"
    route = "ledger/checkpoints/<int:pk>/"
    permission = "fsm_lifecycle.view_checkpoint"
    title = "Checkpoint"
    under = "ledger"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        pk = self.kwargs["pk"]
        rows = Checkpoint.objects.using(choosing.chosen(request.GET))
        checkpoint = rows.filter(pk=pk).first() if pk <= _LARGEST else None
        if checkpoint is None:
            raise Http404("There is no such checkpoint.")
        return _download(
            HttpResponse(checkpoint.note, content_type="text/plain; charset=utf-8"), _name(checkpoint)
        )


class CheckpointsPage(Page):
    """All checkpoints' notes in one archive, oldest first, written while it is read."""

    name = "checkpoints"
    route = "ledger/checkpoints/"
    permission = "fsm_lifecycle.view_checkpoint"
    title = "Checkpoints"
    under = "ledger"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        return _download(
            StreamingHttpResponse(_archive(choosing.chosen(request.GET)), content_type="application/x-tar"),
            "checkpoints.tar",
        )


def _archive(using: str) -> Iterator[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w|") as archive:
        for checkpoint in Checkpoint.objects.using(using).order_by("id").iterator(chunk_size=500):
            note = checkpoint.note.encode()
            member = tarfile.TarInfo(_name(checkpoint))
            member.size, member.mtime = len(note), int(checkpoint.created_at.timestamp())
            archive.addfile(member, io.BytesIO(note))
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _name(checkpoint: Checkpoint) -> str:
    """As files in ``LEDGER_CHECKPOINT_DIR`` are called, and the checkpoint's number where a tree was signed twice."""
    return f"{checkpoint.tree_size:020d}-{checkpoint.pk}.note"


def _download(answer: Answer, name: str) -> Answer:
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
