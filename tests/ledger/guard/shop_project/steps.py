"""What a test lets a process of the shop do: a list of steps, each with an answer, printed as one JSON list.

``python -m tests.ledger.guard.shop_project.steps 'migrate shop 0002' look close``
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import django
from django.core.management import call_command


def _attempt(work: Callable[[], Any], *, undo: bool = False) -> str:
    """ "passes", "refused" by our triggers, or the error."""
    from django.db import DatabaseError, transaction

    from fsm_lifecycle.ledger import protection

    try:
        with transaction.atomic():
            work()
            transaction.set_rollback(undo)
    except DatabaseError as error:
        return "refused" if protection.is_refusal(error) else f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "passes"


def _table() -> tuple[str, str]:
    """The shop's table and its state column, as the database has them; empty where there are none."""
    from django.db import connection

    names = connection.introspection.table_names()
    table = next((n for n in ("shop_ticket", "shop_issue", "Shop Issues") if n in names), "")
    if not table:
        return "", ""
    with connection.cursor() as cursor:
        columns = {row.name for row in connection.introspection.get_table_description(cursor, table)}
    return connection.ops.quote_name(table), next((c for c in ("state", "phase") if c in columns), "")


def _execute(sql: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.rowcount)


def look() -> dict[str, str]:
    """What an unrelated UPDATE, an illegal move and a removed entry come to; all are undone."""
    table, state = _table()
    statements = {"log": "DELETE FROM fsm_lifecycle_transitionlog"}
    if table:
        statements["unrelated"] = f"UPDATE {table} SET title = 'looked at'"
    if state:
        statements["illegal"] = f"UPDATE {table} SET {state} = 'nowhere'"
    return {name: _attempt(partial(_execute, sql), undo=True) for name, sql in statements.items()}


def _model() -> Any:
    from django.apps import apps

    return next(iter(apps.get_app_config("shop").get_models()))


def make() -> str:
    """A new record, or a plain row where the model has no lifecycle."""
    return _attempt(lambda: _model().objects.create())


def fire(event: str) -> str:
    """Fire an event on the newest record."""
    from fsm_lifecycle import System

    return _attempt(lambda: _model().objects.order_by("-pk")[0].fire(event, actor=System("shop")))


def raw(state: str) -> str:
    """What a program of another version does: move the newest record along an edge, by SQL."""
    table, column = _table()
    return _attempt(
        lambda: _execute(
            f"UPDATE {table} SET {column} = '{state}', lifecycle_sequence = lifecycle_sequence + 1, "
            f"lifecycle_head = '{'ab' * 32}'"
        )
    )


def migrate(*arguments: str) -> str:
    """Migrate; the error where there is one."""
    try:
        call_command("migrate", *arguments, verbosity=0, interactive=False)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "done"


def missing() -> list[str]:
    from django.db import connection

    from fsm_lifecycle.ledger import protection

    return protection.missing(connection)


def outdated() -> list[str]:
    from django.db import connection

    from fsm_lifecycle.ledger import protection

    return protection.outdated(connection)


def ours() -> list[str]:
    """The tables that a trigger of ours stands on."""
    from django.db import connection

    from fsm_lifecycle.ledger.protection import installing

    return sorted({trigger.table for trigger in installing._installed(connection).values()})


def command(name: str, *arguments: str) -> str:
    """What a management command prints, or the error and its exit code."""
    from django.core.management.base import CommandError

    printed = io.StringIO()
    try:
        call_command(name, *arguments, stdout=printed, stderr=printed)
    except CommandError as error:
        return f"{error.returncode}: {error}"
    return printed.getvalue()


def run_sqlflush() -> str:
    """What becomes of the statements that ``sqlflush`` prints."""
    statements = [
        line for line in command("sqlflush").splitlines() if line.startswith(("DELETE", "TRUNCATE"))
    ]
    assert statements
    return _attempt(lambda: [_execute(line) for line in statements])


def entries() -> int:
    from fsm_lifecycle.models import TransitionLog

    return TransitionLog.objects.count()


STEPS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (look, make, fire, raw, migrate, missing, outdated, ours, command, run_sqlflush, entries)
}

if __name__ == "__main__":
    django.setup()
    answers = []
    for step in sys.argv[1:]:
        name, *arguments = step.split()
        answers.append(STEPS[name](*arguments))
    print(json.dumps(answers))
