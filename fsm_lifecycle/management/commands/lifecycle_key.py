"""``manage.py lifecycle_key new|show|rotate``: the key that signs the ledger's checkpoints."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from fsm_lifecycle import conf
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger import checkpoints, keys
from fsm_lifecycle.ledger.rotation import rotate_key
from fsm_lifecycle.management.command import LifecycleCommand


class Command(LifecycleCommand):
    """Thin shell over ``ledger.keys`` and ``ledger.rotation``."""

    help = "Makes, shows or replaces the key that signs the ledger's checkpoints."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="new|show|rotate")
        new = verbs.add_parser("new", help="make a key in a file; nothing is overwritten")
        new.add_argument("--path", type=Path, help="the file (default: what LEDGER_KEY names)")
        show = verbs.add_parser("show", help="show the public keys that have ever signed")
        show.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=sorted(connections),
            help="of which database's ledger (default: %(default)s)",
        )
        rotate = verbs.add_parser(
            "rotate", help="replace the key, after a checkpoint of every database's ledger was signed by both"
        )
        for verb in (new, show, rotate):
            verb.add_argument("--json", action="store_true", help="one JSON document on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            said, document = getattr(self, f"_{options['verb']}")(options)
        except LifecycleError as error:
            raise CommandError(str(error), returncode=2) from None
        if options["json"]:
            self.stdout.write(json.dumps(document, ensure_ascii=False))
        else:
            self.stdout.write(said)
        if document.get("not_exported"):
            raise CommandError("\n".join(document["not_exported"]), returncode=1)

    def _new(self, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        path = options["path"] or keys.key_path()
        if path is None:
            raise keys.KeyUnreadable("Say where the key is to be: manage.py lifecycle_key new --path PATH")
        path = path.absolute()
        vkey = keys.new_key(path, conf.ledger_origin()).vkey
        text = (
            f"{vkey}\n\nThe private key is in {path}; keep a copy where no one else can read it. The line above is in "
            f"{keys.public_path(path)}; give it to everybody who is to check proofs. Next:\n"
            f'  FSM_LIFECYCLE = {{"LEDGER_KEY": "{path}", "LEDGER_ORIGIN": "{conf.ledger_origin()}", …}}\n'
            f"  manage.py lifecycle_seal --once"
        )
        return text, {"path": str(path), "public_path": str(keys.public_path(path)), "vkey": vkey}

    def _show(self, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        using = options["database"]
        known = [key.vkey for key in checkpoints.known_keys(using)]
        path = keys.key_path()
        text = (
            "\n".join(known)
            or "Unsigned: LEDGER_KEY is not set. Make a key: manage.py lifecycle_key new --path PATH"
        )
        return text, {
            "origin": checkpoints.origin_of(using),
            "path": None if path is None else str(path),
            "signed": bool(known),
            "vkeys": known,
        }

    def _rotate(self, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        done = rotate_key()
        where = ", ".join(done.signed) or "no database"
        text = (
            f"{done.new}\n\nThe line above signs from now on, in place of {done.old}. Both have signed the newest "
            f"checkpoint of {where}. Give the new line to everybody who checks proofs."
        )
        return text, asdict(done)
