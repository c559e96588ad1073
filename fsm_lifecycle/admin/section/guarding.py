"""Owns what protects and seals one database, as pages tell it: triggers, the key, copies of checkpoints.

Never the private key, nor where it is. Must not know any page.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from django.db import DatabaseError, connections

from fsm_lifecycle import conf
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger import keys, protection
from fsm_lifecycle.ledger.checkpoints import known_keys, origin_of
from fsm_lifecycle.ledger.protection.rules import rules


@dataclass(frozen=True, slots=True)
class Guarded:
    """What a database's own protection is like."""

    possible: bool
    on: bool
    """Whether it is asked for."""
    tables: int
    """How many tables are to be protected."""
    missing: list[str]
    outdated: list[str]
    unknown: str = ""
    """Why it could not be looked at; empty where it could."""

    @property
    def word(self) -> str:
        """How it stands, in a word or two."""
        if not self.possible:
            return "not possible"
        if not self.on:
            return "off"
        if self.unknown:
            return "unknown"
        if self.missing:
            return f"{len(self.missing)} missing"
        return f"{len(self.outdated)} outdated" if self.outdated else "installed"

    @property
    def whole(self) -> bool:
        """Whether nothing is to be done."""
        return self.word == "installed"


def guarded(using: str) -> Guarded:
    """The protection of a database. Reads its catalogue."""
    connection = connections[using]
    possible, on = protection.possible(connection), conf.database_guard()
    tables = len({rule.table for rule in rules(using)})
    if not (possible and on):
        return Guarded(possible, on, tables, [], [])
    try:
        return Guarded(possible, on, tables, protection.missing(connection), protection.outdated(connection))
    except DatabaseError:
        return Guarded(possible, on, tables, [], [], "The database does not say.")


@dataclass(frozen=True, slots=True)
class Keeping:
    """The ledger's name, its keys, and where checkpoints are kept."""

    origin: str
    public: list[str]
    """Every public key that ever signed, as text; empty where they are not at hand."""
    private: str
    """Where the private key is, in words that give nothing away."""
    signs: bool
    """Whether a key is set."""
    trouble: str
    """What is wrong with the key; empty where nothing is known."""
    copies: str
    """Where copies of checkpoints go, in words."""
    outside: bool
    """Whether they go anywhere outside the database."""


def keeping(using: str) -> Keeping:
    """How checkpoints of a database are signed and kept. A signer that is the project's own function is not called."""
    configured = conf.ledger_key()
    public: list[str] = []
    trouble = ""
    private = "none; checkpoints are not signed"
    if configured:
        try:
            path = keys.key_path()
            if path is None:
                private = "with a function of the project; its public key: manage.py lifecycle_key show"
            else:
                private = "set; in a file outside the database"
                public = [key.vkey for key in known_keys(using)]
        except (LifecycleError, ValueError, OSError):
            trouble = "The key is set, and this process cannot read it. Run manage.py lifecycle_key show: it says why."
    places = ["a folder"] if _folder() else []
    try:
        exports = len(conf.ledger_export())
    except TypeError:  # a check says so
        exports = 0
    if exports:
        places.append(f"{exports} export{'' if exports == 1 else 's'}")
    return Keeping(
        origin=origin_of(using),
        public=public,
        private=private,
        signs=bool(configured),
        trouble=trouble,
        copies=" and ".join(places) or "in the database alone",
        outside=bool(places),
    )


def _folder() -> Path | None:
    try:
        return conf.ledger_checkpoint_dir()
    except TypeError:  # a check says so
        return None


def merge_delay() -> float:
    """Seconds after which an unsealed entry is late; the default where the setting is no number, as a check says."""
    try:
        return conf.seal_merge_delay()
    except (TypeError, ValueError):
        return 60.0


def folder_state() -> str:
    """Whether checkpoints can be written to the folder outside: ``writable``, ``not writable``, ``not set``."""
    folder = _folder()
    if folder is None:
        return "not set"
    there: Path = folder
    while not there.exists() and there != there.parent:
        there = there.parent  # it is made with the first checkpoint
    return "writable" if there.is_dir() and os.access(there, os.W_OK | os.X_OK) else "not writable"
