"""Owns the ledger's keys: where the one that signs is, which have signed before, how one is made and replaced.

The private key is a file that only its owner can read, or an object of the host's that signs (a KMS). Beside the
file, ``<path>.pub`` holds every public key that ever signed, one a line. Nothing of it is in the database.

Must not know: what is signed, or how a checkpoint is made.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from fsm_lifecycle import conf
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger.note import NoteMismatch, Signer, VerifierKey

#: Longer files are not keys.
_LONGEST: Final = 1_000_000


class KeyUnreadable(LifecycleError):
    """The ledger's key cannot be found, read, used or written."""

    code = "key_unreadable"


# --- using --------------------------------------------------------------------------------------------------


def signers() -> list[Signer]:
    """The key that signs checkpoints; empty when ``LEDGER_KEY`` is not set, so that they stay unsigned.

    Raises ``KeyUnreadable``.
    """
    source = _source()
    if source is None:
        return []
    signer = _read_private(source) if isinstance(source, Path) else _signer(_called(source))
    origin = conf.ledger_origin()
    if signer.name != origin:
        raise KeyUnreadable(
            f"LEDGER_KEY is a key of {signer.name!r}, but LEDGER_ORIGIN is {origin!r}. Set LEDGER_ORIGIN to the key's "
            f"name, or make a key for this ledger: manage.py lifecycle_key new --path PATH."
        )
    return [signer]


def known_vkeys() -> list[str]:
    """Every public key that ever signed, as text; empty without ``LEDGER_KEY``. Raises ``KeyUnreadable``.

    Of a file these are the lines of ``<path>.pub``, so that a machine that only checks needs no private key. Of an
    object these are its ``vkey`` and what its ``earlier`` lists, if it has that.
    """
    source = _source()
    if source is None:
        return []
    if isinstance(source, Path):
        keys = _known_of_file(source)
    else:
        made = _called(source)
        keys = [*(_parsed(str(vkey)) for vkey in getattr(made, "earlier", ())), _signer(made).key]
    return [key.vkey for key in dict.fromkeys(keys)]


def key_path() -> Path | None:
    """The file that ``LEDGER_KEY`` names; ``None`` when it names none."""
    source = _source()
    return source if isinstance(source, Path) else None


def public_path(path: Path) -> Path:
    """The file with the public keys beside a private one."""
    return path.with_name(f"{path.name}.pub")


def _source() -> Path | str | None:
    """What ``LEDGER_KEY`` names: the path of a file, the dotted name of a callable, or nothing."""
    configured = conf.ledger_key()
    if configured is None or configured == "":
        return None
    if not isinstance(configured, str | os.PathLike):
        raise KeyUnreadable(
            f"LEDGER_KEY is {configured!r}. Give the path of the key's file, or the dotted name of a function that "
            f"returns a signer."
        )
    path = Path(configured)
    dotted = isinstance(configured, str) and "." in configured
    if dotted and all(part.isidentifier() for part in str(configured).split(".")) and not path.exists():
        return str(configured)
    return path


def _known_of_file(path: Path) -> list[VerifierKey]:
    public = public_path(path)
    keys = _read_public(public) if public.exists() else []
    try:
        keys.append(_read_private(path).key)  # where the file with the public ones was not copied along
    except KeyUnreadable:
        if not keys:
            raise
    return keys


def _called(dotted: str) -> Any:
    """What the callable made. Whatever goes wrong in the host's code is said with its name."""
    module, _, name = dotted.rpartition(".")
    try:
        return getattr(import_module(module), name)()
    except Exception as error:
        raise KeyUnreadable(
            f"LEDGER_KEY is {dotted!r}, which is no file and could not be called: {error!r}. Give the absolute path of "
            f"the key's file, or the dotted name of a function that returns a signer."
        ) from error


def _signer(made: Any) -> Signer:
    def sign(message: bytes) -> bytes:
        try:
            return bytes(made.sign(message))
        except Exception as error:
            raise KeyUnreadable(f"What LEDGER_KEY made could not sign: {error!r}.") from error

    if not callable(getattr(made, "sign", None)) or not isinstance(getattr(made, "vkey", None), str):
        raise KeyUnreadable(
            f"LEDGER_KEY made a {type(made).__name__}, which is no signer. It needs vkey, the public key as text, and "
            f"sign(message), which returns a raw Ed25519 signature as bytes."
        )
    return Signer(_parsed(made.vkey).vkey, sign)


def _parsed(vkey: str, where: str = "LEDGER_KEY") -> VerifierKey:
    try:
        return VerifierKey.parse(vkey)
    except NoteMismatch as error:
        raise KeyUnreadable(f"{where}: {error}") from None


# --- files --------------------------------------------------------------------------------------------------


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_LONGEST)
    except FileNotFoundError:
        raise KeyUnreadable(
            f"There is no file {path}. Make a key: manage.py lifecycle_key new --path PATH."
        ) from None
    except (OSError, ValueError) as error:
        raise KeyUnreadable(f"{path} cannot be read: {error}.") from error


def _read_public(path: Path) -> list[VerifierKey]:
    lines = [(number, line.strip()) for number, line in enumerate(_text(path).splitlines(), 1)]
    return [_parsed(line, f"{path}, line {number}") for number, line in lines if line]


def _read_private(path: Path) -> Signer:
    text = _text(path)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyUnreadable(
            f"{path} holds a private key that others may read or write. Close it: chmod 600 {path}"
        )
    try:
        return Signer.parse(text.strip())
    except NoteMismatch as error:
        raise KeyUnreadable(f"{path}: {error}") from None


def _write_private(path: Path, text: str) -> None:
    """A new file that only its owner can read, safely on the disk. Raises ``FileExistsError``."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    _keep_folder(path.parent)


def _add_public(path: Path, key: VerifierKey) -> None:
    """One more line, unless it stands there; the file is replaced whole, so that it is never half a line."""
    there = _read_public(path) if path.exists() else []
    if key in there:
        return
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.writelines(f"{one.vkey}\n" for one in [*there, key])
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _keep_folder(path.parent)


def _keep_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- making and replacing -----------------------------------------------------------------------------------


def new_key(path: Path, origin: str) -> Signer:
    """Make the ledger's key in a file that does not exist yet, and add its public half to ``<path>.pub``.

    Raises ``KeyUnreadable`` when there is a file, no folder to put it in, or no key of that name.
    """
    if path.is_dir():
        raise KeyUnreadable(f"{path} is a folder; nothing was written. Name a file in it.")
    if path.exists() or path.is_symlink():
        raise KeyUnreadable(
            f"There is {path} already; nothing was written. To replace the key: lifecycle_key rotate."
        )
    if not path.parent.is_dir():
        raise KeyUnreadable(f"There is no folder {path.parent}; nothing was written. Make it first.")
    try:
        signer, private = Signer.generate(origin)
        _add_public(public_path(path), signer.key)
        _write_private(path, private)
    except NoteMismatch as error:
        raise KeyUnreadable(f"LEDGER_ORIGIN: {error}") from None
    except OSError as error:
        raise KeyUnreadable(f"{path} could not be written: {error}.") from error
    return signer


def rotate(make_checkpoint: Callable[[list[Signer]], object]) -> tuple[Signer, Signer]:
    """Replace the key of ``LEDGER_KEY`` and return the old and the new one.

    ``make_checkpoint`` gets both, and has committed a checkpoint signed by both when it returns. Only then does the
    new key take the old one's place; until then it waits in ``<path>.next``, where a rotation that broke off finds it
    again. Raises ``KeyUnreadable``, and what ``make_checkpoint`` raises.
    """
    path = key_path()
    if path is None:
        raise KeyUnreadable(
            "LEDGER_KEY names no file, so there is no key to replace here. A key behind a callable is replaced "
            "where it is kept."
        )
    [old] = signers()
    waiting = path.with_name(f"{path.name}.next")
    try:
        if not waiting.exists():
            _write_private(waiting, Signer.generate(old.name)[1])
        new = _read_private(waiting)
        if new.name != old.name or new.key == old.key:
            raise KeyUnreadable(f"{waiting} is not a further key of {old.name}. Remove it and rotate again.")
        for key in (old.key, new.key):
            _add_public(public_path(path), key)
    except OSError as error:
        raise KeyUnreadable(f"The new key could not be written: {error}.") from error
    make_checkpoint([old, new])
    try:
        waiting.replace(path)
        _keep_folder(path.parent)
    except OSError as error:
        raise KeyUnreadable(
            f"The checkpoint is signed by both keys, but {waiting} could not take the place of {path}: {error}. Until "
            f"it does, the old key signs. Mend that and rotate again."
        ) from error
    return old, new
