"""Owns the processes that work beside a test: Celery workers, `lifecycle_work`, and code in a mode of its own.

Must not know what they are to do.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

REDIS = "redis://{}:{}/5".format(
    os.environ.get("REDIS_HOST", "127.0.0.1"), os.environ.get("REDIS_PORT", "6379")
)
RABBITMQ = "amqp://guest:guest@{}:{}//".format(
    os.environ.get("RABBITMQ_HOST", "127.0.0.1"), os.environ.get("RABBITMQ_PORT", "5672")
)
BROKERS = {"redis": REDIS, "rabbitmq": RABBITMQ}
#: Seconds until something is given up that comes about in two where the machine has nothing else to do.
PATIENCE = 150.0
#: Code before other code in the mode ``thread``: at its end the process waits as long as a busy machine takes.
AT_LEISURE = """
from fsm_lifecycle.dispatch.modes.thread import Thread
Thread.stop.__defaults__ = (100.0,)
"""


def until(true: Callable[[], Any], said: Callable[[], str] = str, seconds: float = PATIENCE) -> None:
    """Wait until something is true. Raises `AssertionError` when it does not come about."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"it did not come about\n{said()}"
        time.sleep(0.05)


class Workers:
    """Processes on the test's own database, gone when it ends."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = {**environment, "DJANGO_SETTINGS_MODULE": "tests.dispatch.settings"}
        self.folder = folder
        self.queue = f"fsm-lifecycle-{uuid.uuid4().hex[:8]}"
        self.processes: list[subprocess.Popen[Any]] = []

    def start(self, command: list[str], **variables: str) -> subprocess.Popen[Any]:
        """Start a command; what it prints goes to a file of its own."""
        handle, name = tempfile.mkstemp(prefix="worker-", suffix=".log", dir=self.folder)
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**self.environment, **variables},
            stdout=handle,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        os.close(handle)
        process.log = Path(name)  # type: ignore[attr-defined]
        self.processes.append(process)
        return process

    def celery(self, broker: str, *, beat: bool = True, concurrency: int = 2, lease: float = 60) -> Any:
        """A real Celery worker."""
        command = [sys.executable, "-m", "celery", "-A", "tests.dispatch.celery_app", "worker"]
        command += [
            "--concurrency",
            str(concurrency),
            "--loglevel",
            "INFO",
            "--without-gossip",
            "--without-mingle",
        ]
        command += ["--hostname", f"{uuid.uuid4().hex}@localhost"]
        if beat:
            command += ["--beat", "--schedule", str(self.folder / f"beat-{uuid.uuid4().hex}")]
        return self.start(command, **self.variables(broker, lease))

    def variables(self, broker: str, lease: float = 60) -> dict[str, str]:
        """The environment in which a process publishes to a broker."""
        return {
            "TEST_DISPATCH": "celery",
            "TEST_BROKER": BROKERS.get(broker, broker),
            "TEST_BROKER_QUEUE": self.queue,
            "TEST_LEASE": str(lease),
        }

    def command(self, *arguments: str, lease: float = 60) -> Any:
        """`manage.py lifecycle_work`."""
        command = [sys.executable, "-m", "django", "lifecycle_work", *arguments]
        return self.start(command, TEST_DISPATCH="command", TEST_LEASE=str(lease))

    def python(self, code: str, *, lease: float = 60) -> Any:
        """Python code that goes on, in the mode ``thread``."""
        return self.start([sys.executable, "-c", code], TEST_DISPATCH="thread", TEST_LEASE=str(lease))

    def run(self, code: str, **variables: str) -> str:
        """Run Python code in a process of its own, with Django set up; what it printed."""
        begin = "import django; django.setup()\n"
        if "TEST_BROKER" in variables:
            begin += "import tests.dispatch.celery_app\n"  # as the package of a project does
        done = subprocess.run(
            [sys.executable, "-c", begin + code],
            cwd=ROOT,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def kill(self, process: Any) -> None:
        """SIGKILL to the process and all its children."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)

    def end(self) -> None:
        for process in self.processes:
            self.kill(process)

    def said(self) -> str:
        """What they printed, for a failing test."""
        return "\n".join(process.log.read_text(errors="replace") for process in self.processes)  # type: ignore[attr-defined]
