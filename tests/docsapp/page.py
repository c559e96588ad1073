"""Owns running the code of one page of documentation, top to bottom, as its reader would.

Must not know what any page says. Run as `python -m tests.docsapp.page PAGE.md`, a process for each page: a model that
a page declares would otherwise stay in Django's registry for every test after it.

Blocks fenced as `python` are executed in one namespace; the tables of the models they declare, and the permissions of
their roles, are made as soon as a block is done. Blocks fenced as `pycon` are checked by doctest in the same
namespace, output and all. Top-level `await` works. Other blocks are not run.
"""

import ast
import asyncio
import doctest
import inspect
import io
import re
import sys
from pathlib import Path
from typing import Any

import django

FENCE = re.compile(r"^```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```\s*$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[tuple[str, str, int]]:
    """The fenced blocks of a page: language, code, and the line number of the code's first line."""
    return [
        (match["language"], match["code"], text.count("\n", 0, match.start("code")) + 1)
        for match in FENCE.finditer(text)
    ]


def execute(code: str, line: int, page: Path, namespace: dict[str, Any]) -> None:
    """Run a `python` block. A traceback shows the page's own line numbers."""
    source = "\n" * (line - 1) + code
    result = eval(compile(source, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), namespace)
    if inspect.iscoroutine(result):
        asyncio.run(result)


def check(code: str, line: int, page: Path, namespace: dict[str, Any]) -> None:
    """Compare a `pycon` block with what it really prints."""
    test = doctest.DocTestParser().get_doctest(code, namespace, page.name, str(page), line - 1)
    test.globs = namespace
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, clear_globs=False)
    if runner.failures:
        raise SystemExit(f"{page}: a block prints something else than the page says.")


def make_tables() -> None:
    """Tables for the models declared since the last call, and what `migrate` makes for their roles."""
    from django.apps import apps
    from django.core.management import call_command
    from django.db import connection

    existing = connection.introspection.table_names()
    models = list(apps.get_app_config("docsapp").get_models())
    missing = [model for model in models if model._meta.db_table not in existing]
    with connection.schema_editor() as editor:
        for model in missing:
            editor.create_model(model)
    if any(hasattr(model, "lifecycle") for model in missing):
        call_command("lifecycle_roles", sync=True, stdout=io.StringIO())


def main(page: Path) -> None:
    from django.conf import settings

    settings.INSTALLED_APPS.append("tests.docsapp")
    django.setup()
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    setup_test_environment()  # no page sends an e-mail
    call_command("migrate", run_syncdb=True, verbosity=0)
    # The module's name is what tells Django the app of a model.
    namespace: dict[str, Any] = {"__name__": "tests.docsapp.models"}
    for language, code, line in blocks(page.read_text()):
        if language == "python":
            execute(code, line, page, namespace)
            make_tables()
        elif language == "pycon":
            check(code, line, page, namespace)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
