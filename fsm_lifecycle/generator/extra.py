"""What one flag of the command adds to an app. Must not know which flags there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fsm_lifecycle.generator.blueprint import Blueprint

#: The words that every text of the app is filled in with, and how that is done.
Fill = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Extra:
    """One flag, ``--api``."""

    help: str
    """What the command says of it."""
    files: Callable[[Blueprint, Fill], Mapping[str, str]]
    """The files it adds, by their paths in the app's folder."""
    apps: tuple[str, ...] = ()
    """What has to be in ``INSTALLED_APPS`` for it."""
    members: Callable[[Blueprint], list[str]] = lambda app: []
    """What it adds to ``class Lifecycle``, as lines of code."""
    routes: Callable[[Blueprint], list[str]] = lambda app: []
    """What it adds to the app's addresses, as lines of code."""
