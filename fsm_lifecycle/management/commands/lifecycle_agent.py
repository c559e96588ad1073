"""``manage.py lifecycle_agent``: have an agent do something, as a user, from a shell."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from fsm_lifecycle.agents.event import AgentEvent
from fsm_lifecycle.agents.run import DONE, FAILED, WAITING, AgentRun
from fsm_lifecycle.agents.runs import profile_of, run_to_the_end
from fsm_lifecycle.agents.transcript import Transcript, document, plain, why
from fsm_lifecycle.interrupting import interruptible
from fsm_lifecycle.management.command import LifecycleCommand
from fsm_lifecycle.management.somebody import active_user


class Command(LifecycleCommand):
    """Thin shell over ``agents.runs.run_to_the_end``."""

    help = (
        "Has an agent do something with a user's rights, and shows its text and tool calls as they come. Exit 0: it "
        "has answered; 1: it was stopped, or waits for a person to decide; 2: it could not run."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("lifecycle", help="the lifecycle it works on, such as billing.invoice")
        parser.add_argument("prompt", help="what it is to do; - to read it from standard input")
        parser.add_argument(
            "--user",
            required=True,
            help="username or key of the user in whose name, and with whose rights, it acts",
        )
        parser.add_argument(
            "--agent", default="", metavar="KEY", help="the agent, where the lifecycle has several"
        )
        parser.add_argument("--json", action="store_true", help="one JSON document at the end, and no text")

    def handle(self, *args: Any, **options: Any) -> None:
        user = active_user(options["user"], "--user")
        transcript = Transcript()
        told_to_stop = False

        def stop() -> None:
            nonlocal told_to_stop
            told_to_stop = True

        def listen(event: AgentEvent) -> None:
            nonlocal told_to_stop
            try:
                self.stdout.write(transcript.of(event), ending="")
                self.stdout.flush()
            except BrokenPipeError:  # who read this went away
                told_to_stop = True

        try:
            profile = profile_of(options["agent"] or options["lifecycle"])
            if options["agent"]:
                self._fits(profile.lifecycles, options["agent"], options["lifecycle"])
            with interruptible(stop):
                run = run_to_the_end(
                    profile,
                    self._prompt(options["prompt"]),
                    user=user,
                    surface="command",
                    listen=None if options["json"] else listen,
                    stopped=lambda: told_to_stop,
                )
        except (LookupError, ValueError) as error:
            raise CommandError(" ".join(str(error).strip("'\"").split()), returncode=2) from None
        if options["json"]:
            self.stdout.write(json.dumps(document(run), ensure_ascii=False, indent=2))
        else:
            self.stdout.write(transcript.ended(), ending="")
        self._end(run)

    def _prompt(self, given: str) -> str:
        return sys.stdin.read() if given == "-" else given

    def _fits(self, lifecycles: list[str], agent: str, lifecycle: str) -> None:
        if lifecycle.lower() not in lifecycles:
            raise CommandError(
                f"The agent {agent} does not work on {lifecycle}, but on {', '.join(lifecycles)}.",
                returncode=2,
            )

    def _end(self, run: AgentRun) -> None:
        if run.status == DONE:
            return
        note = _note(run)
        said = f"Run {run.pk} {'waits' if run.status == WAITING else run.status}: {why(run)}{note}"
        raise CommandError(said, returncode=2 if run.status == FAILED else 1)


def _note(run: AgentRun) -> str:
    last = run.events.filter(kind="status").order_by("-seq").first()
    note = last.payload.get("note", "") if last is not None else ""
    return f" {plain(note)}" if note else ""
