"""Owns what the tests of the generator share: a folder that Python finds apps in, and the command run in it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.generator.host import Host


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder on Python's path."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refusal(folder: Path) -> Callable[..., str]:
    """Runs the command, which has to be refused and to leave nothing. What it says."""

    def run(*arguments: str) -> str:
        with pytest.raises(CommandError) as refused:
            call_command("startfsmapp", *arguments, stdout=io.StringIO())
        assert refused.value.returncode == 2
        assert list(folder.iterdir()) == []
        return str(refused.value)

    return run


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host project of the test's own."""
    return Host(tmp_path)
