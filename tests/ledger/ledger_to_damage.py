"""Owns a small ledger with something of everything in it, for tests that damage it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import connection

from fsm_lifecycle import System, adopting
from fsm_lifecycle.engine.redacting import redact
from fsm_lifecycle.ledger import keys
from fsm_lifecycle.ledger.sealing import seal
from tests.acting import ACTOR
from tests.testapp.models import Contract, Document, Door, Invoice, Light, Order, Parcel, Treaty

ORIGIN = "ledger.example.com"

Finding = tuple[str, str | None, int | None]


def settings(folder: Path) -> dict[str, Any]:
    """What ``FSM_LIFECYCLE`` is for a signed ledger with a folder outside."""
    return {
        "LEDGER_ORIGIN": ORIGIN,
        "LEDGER_KEY": str(folder / "key"),
        "LEDGER_CHECKPOINT_DIR": str(folder / "outside"),
    }


@dataclass
class Ledger:
    """What was built."""

    light: Light
    """The record that most damage is done to: four entries, none of them a cause, two under the first checkpoint."""
    gone: str
    """The record of a door that was deleted."""
    redacted: tuple[str, int]
    """Record and sequence of an entry that lost a field, and of the entry that says so: one more."""
    keyed: tuple[str, int]
    """Record and sequence of an entry with an idempotency key and arguments."""
    caused: tuple[str, int]
    """Record and sequence of an entry with a cause."""
    kept: str
    """The first checkpoint, kept elsewhere."""


def build(folder: Path) -> Ledger:
    """Fire on a few records, in two rounds with a checkpoint after each. Call inside ``override_settings``."""
    folder.joinpath("outside").mkdir(exist_ok=True)
    keys.new_key(folder / "key", ORIGIN)
    user = User.objects.create_user("bob", first_name="Bob")
    light = Light.objects.create(name="hall")
    light.fire("switch_on", actor=user, metadata={"why": "däwn", "at": Decimal("1.50")})
    invoice = Invoice.objects.create(amount=10, client_name="Ann", created_by=user)
    invoice.fire("send_invoice", actor=user)
    key = invoice.fire(
        "pay", actor=user, arguments={"paid_on": date(2026, 1, 2), "note": "x"}, idempotency_key="once"
    )
    lost = light.log.get(sequence=2)
    first = seal().checkpoint
    assert first is not None
    light.fire("blink", actor=System("a:b"), occurred_at=datetime(2026, 1, 1, tzinfo=UTC))
    said = redact(lost, ["metadata"], reason="asked for", by=ACTOR)
    assert said is not None
    order = Order.objects.create(contract=Contract.objects.create())
    order.fire("place", actor=ACTOR)
    assert order.contract is not None
    parcel = Parcel.objects.create()
    parcel.fire("ship", actor=ACTOR)
    with adopting("import"):
        door = Door.objects.create(code="über ' 1", position="open")
    door.delete()
    Door.objects.create(code="back").delete()
    Door.objects.create(code="back").fire("open_up", actor=ACTOR)
    Treaty.objects.create().fire("sign", actor=ACTOR)
    Document.objects.create().fire("finish", actor=ACTOR)
    Light.objects.bulk_create([Light(name=f"bulk {n}") for n in range(3)])
    seal()
    return Ledger(
        light=light,
        gone="testapp.door:über ' 1",
        redacted=(f"testapp.light:{light.pk}", 2),
        keyed=(f"testapp.invoice:{invoice.pk}", key.sequence),
        caused=(f"testapp.contract:{order.contract.pk}", 2),
        kept=first.note,
    )


def execute(sql: str, *parameters: Any) -> None:
    """One statement past every check of the package."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def read(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
