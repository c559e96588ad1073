"""Owns calling a command as it is typed. Must not know which commands there are."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout

from django.core.management import ManagementUtility


def run(*argv: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            ManagementUtility(["manage.py", *argv]).execute()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    return code, out.getvalue(), err.getvalue()
