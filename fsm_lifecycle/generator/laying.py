"""Putting an app and the edits that install it in place: all of it, or nothing.

Files are made in a folder beside the target and moved there in one step. What goes wrong on the way, an interruption
too, takes back what was done before it. Must not know what the files say.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType


@dataclass(frozen=True, slots=True)
class Edit:
    """A file outside the app as it was and as it shall be. ``before`` is ``None`` where there was no file."""

    path: Path
    before: str | None
    after: str


@contextmanager
def staging(target: Path) -> Iterator[Path]:
    """A folder beside ``target``, gone at the end whatever happens."""
    # Named before it is made, so that no interruption finds it made and not yet known.
    stage = target.parent / f".{target.name}-{secrets.token_hex(4)}"
    try:
        stage.mkdir(mode=0o700)
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder that is nobody's yet."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def put_in_place(stage: Path, target: Path, edits: Sequence[Edit]) -> None:
    """Move ``stage / target.name`` to ``target`` and make the edits; undone together when one of them fails."""
    made = stage / target.name
    aside = stage / "aside"
    with _finishing_first() as interrupted, ExitStack() as undo:
        if target.exists():
            target.rename(aside)
            undo.callback(aside.rename, target)
        made.rename(target)
        undo.callback(target.rename, made)
        for edit in edits:
            interrupted()
            _replace(edit.path, edit.after)
            undo.callback(_restore, edit)
        interrupted()
        undo.pop_all()


def _restore(edit: Edit) -> None:
    if edit.before is None:
        edit.path.unlink(missing_ok=True)
    else:
        _replace(edit.path, edit.before)


def _replace(path: Path, text: str) -> None:
    """Write a file in one step, so that a reader sees the old text or the new one."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask()
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def ending_politely() -> Iterator[None]:
    """Inside, SIGTERM ends the command as Ctrl-C does, so that what was begun is cleared away."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handling({signal.SIGTERM: end}):
        yield


@contextmanager
def _finishing_first() -> Iterator[Callable[[], None]]:
    """Inside, SIGINT and SIGTERM wait until the given function is called, or the block ends."""
    told: list[int] = []

    def interrupted() -> None:
        if told:
            raise KeyboardInterrupt

    def remember(number: int, frame: FrameType | None) -> None:
        told.append(number)

    with _handling({signal.SIGINT: remember, signal.SIGTERM: remember}):
        yield interrupted


@contextmanager
def _handling(handlers: Mapping[signal.Signals, Callable[[int, FrameType | None], None]]) -> Iterator[None]:
    """Signal handlers for a while; none outside the main thread, where Python allows none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
