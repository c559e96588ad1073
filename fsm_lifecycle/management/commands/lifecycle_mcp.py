"""``manage.py lifecycle_mcp``: the tools of an agent over the Model Context Protocol, on standard input and output."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Any

from django.core.management.base import CommandError, CommandParser

from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.runs import profile_of
from fsm_lifecycle.management.command import COULD_NOT_RUN, LifecycleCommand
from fsm_lifecycle.management.somebody import active_user
from fsm_lifecycle.mcp.extra import ExtraMissing, need
from fsm_lifecycle.mcp.principal import Principal


class Command(LifecycleCommand):
    """Thin shell over ``mcp.stdio.serve``."""

    help = (
        "Serves the tools of an agent over the Model Context Protocol, on standard input and output, until the input "
        "ends. A program starts it, such as an editor or a chat application; everything that it does is done with the "
        "user's rights and is on record."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--user",
            required=True,
            help="username or key of the user in whose name, and with whose rights, it acts",
        )
        parser.add_argument(
            "--agent",
            default=registry.ALL,
            metavar="NAME",
            help="the agent, by its key or its lifecycle's label (default: the tools of every lifecycle)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with redirect_stdout(sys.stderr):  # standard output is the protocol's from the first byte
            principal = self._principal(options["user"], options["agent"])
        from fsm_lifecycle.mcp.stdio import serve

        serve(principal)

    def _principal(self, user: str, agent: str) -> Principal:
        try:
            need()
            profile = profile_of(agent)
        except ExtraMissing as error:
            raise CommandError(str(error), returncode=COULD_NOT_RUN) from None
        except LookupError as error:
            said = f"--agent: {error.args[0] if error.args else error}"
            raise CommandError(said, returncode=COULD_NOT_RUN) from None
        return Principal(active_user(user, "--user").pk, profile.key)
