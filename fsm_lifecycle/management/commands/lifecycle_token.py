"""``manage.py lifecycle_token create|list|revoke``: the tokens with which programs call tools over ``/mcp``."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import router
from django.utils import timezone

from fsm_lifecycle.agents.transcript import plain
from fsm_lifecycle.management.command import COULD_NOT_RUN, LifecycleCommand
from fsm_lifecycle.management.somebody import active_user, called
from fsm_lifecycle.mcp import tokens
from fsm_lifecycle.models import McpToken


def days(text: str) -> int:
    """Days that a token may last."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 3650):
        raise ArgumentTypeError(f"{text!r} is no number of days from 1 to 3650.")
    return int(text)


class Command(LifecycleCommand):
    """Thin shell over ``mcp.tokens``."""

    help = (
        "Makes, lists and revokes the tokens with which programs call an agent's tools over /mcp, as a user. A token "
        "is shown once, when it is made."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|list|revoke")
        create = verbs.add_parser("create", help="make a token and show it, this once")
        create.add_argument("user", nargs="?", help="username or key of the user in whose name it is used")
        create.add_argument("--user", dest="for_user", metavar="user", help="the same, as an option")
        create.add_argument(
            "--agent",
            metavar="NAME",
            help="the agent, by its key or its lifecycle's label (default: the tools of every lifecycle)",
        )
        create.add_argument("--days", type=days, default=90, help="how long it lasts (default: %(default)s)")
        create.add_argument("--label", default="", help="what it is for, such as the program's name")
        listed = verbs.add_parser("list", help="the tokens there are, and when each was used last")
        listed.add_argument("--user", help="only those of this user")
        revoke = verbs.add_parser("revoke", help="end a token at once")
        revoke.add_argument("token", help="its number, as list shows it, or its text")
        for verb in (create, listed, revoke):
            verb.add_argument("--json", action="store_true", help="one JSON document on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        said, document = getattr(self, f"_{options['verb']}")(options)
        self.stdout.write(json.dumps(document, ensure_ascii=False) if options["json"] else said)

    def _create(self, options: dict[str, Any]) -> tuple[str, Any]:
        names = [name for name in (options["user"], options["for_user"]) if name]
        if len(names) != 1:
            said = "Name the user it acts as, once: lifecycle_token create alice."
            raise CommandError(said, returncode=COULD_NOT_RUN)
        user = active_user(names[0], "user")
        try:
            token, text = tokens.create(user, options["agent"], options["days"], label=options["label"])
        except LookupError as error:
            said = f"--agent: {error.args[0] if error.args else error}"
            raise CommandError(said, returncode=COULD_NOT_RUN) from None
        told = (
            f"{text}\n"
            f"Token {token.pk} acts as {called(user)} until {token.expires_at:%Y-%m-%d}. It cannot be shown again: "
            f"keep it like a password."
        )
        return told, {**_document(token), "token": text}

    def _list(self, options: dict[str, Any]) -> tuple[str, Any]:
        rows = McpToken.objects.using(router.db_for_read(McpToken)).select_related("user").order_by("pk")
        if options["user"]:
            rows = rows.filter(user=active_user(options["user"], "--user"))
        found = list(rows)
        lines = [_line(token) for token in found] or ["There are no tokens."]
        return "\n".join(lines), [_document(token) for token in found]

    def _revoke(self, options: dict[str, Any]) -> tuple[str, Any]:
        given = str(options["token"])
        rows = McpToken.objects.using(router.db_for_write(McpToken))
        token = None
        if given.isascii() and given.isdigit() and len(given) < 19:
            token = rows.filter(pk=given).first()
        elif given.isascii():
            token = rows.filter(digest=tokens.digest_of(given)).first()
        if token is None:
            # A token's text is a secret: it is not said again.
            said = "There is no such token. lifecycle_token list shows those there are."
            raise CommandError(said, returncode=COULD_NOT_RUN)
        ended = tokens.revoke(token)
        token.refresh_from_db()
        told = f"Token {token.pk} is revoked." if ended else f"Token {token.pk} was revoked before."
        return told, _document(token)


def _line(token: McpToken) -> str:
    used = f"used {token.last_used_at:%Y-%m-%d %H:%M} UTC" if token.last_used_at else "never used"
    label = f"  “{plain(token.label)}”" if token.label else ""
    return f"{token.pk}  {called(token.user)}  {token.agent or 'every lifecycle'}  {_status(token)}  {used}{label}"


def _status(token: McpToken) -> str:
    if token.revoked_at is not None:
        return f"revoked {token.revoked_at:%Y-%m-%d}"
    if token.expires_at is None:
        return "without end"
    return f"{'until' if token.expires_at > timezone.now() else 'expired'} {token.expires_at:%Y-%m-%d}"


def _document(token: McpToken) -> dict[str, Any]:
    moments = {
        name: moment.isoformat() if (moment := getattr(token, name)) else None
        for name in ("created_at", "expires_at", "last_used_at", "revoked_at")
    }
    return {
        "id": token.pk,
        "user": str(token.user.get_username()),
        "agent": token.agent or "all",
        "label": token.label,
        "valid": token.is_valid and token.user.is_active,
        **moments,
    }
