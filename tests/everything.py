"""Owns `make test`: the order in which everything is checked, and what may be left out on which machine.

Must not know what is tested. Run as `python -m tests.everything`.

A database that does not answer is left out and named, as are the tests in a browser where there is none; with
`CI=true` that is a failure. `NEWER_PYTHON` may name a
command that is called as `NEWER_PYTHON FOLDER COMMAND...` and runs the command in a copy of the folder under a newer
Python than this one; without it that part is left out and named (tox covers it). The suite on SQLite comes last, so
that the last line printed is pytest's own summary.
"""

import importlib.util
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests import databases
from tests.browser import chromium

ROOT = Path(__file__).resolve().parent.parent
NEWER_DJANGO = "django>=6.1,<6.2"
# The names under which pkg-config knows the client library that mysqlclient compiles against.
MARIADB_HEADERS = ("mysqlclient", "mariadb", "libmariadb")
DRIVERS = {"postgres": "psycopg", "mariadb": "MySQLdb"}
#: Brokers of the tests with a real Celery worker, and the port each listens on.
BROKERS = {"Redis": ("REDIS_HOST", "REDIS_PORT", 6379), "RabbitMQ": ("RABBITMQ_HOST", "RABBITMQ_PORT", 5672)}
TITLES = {"postgres": "PostgreSQL", "mariadb": "MariaDB"}

# One worker more than there are processors: some always wait for a database.
PYTEST = ["-m", "pytest", "-q", "-n", str((os.cpu_count() or 1) + 1)]


class Everything:
    """One run: what passed, what failed, what was left out and why."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.lines: list[str] = []
        self.failed: list[str] = []

    def run(self, title: str, command: list[str], environment: Mapping[str, str] | None = None) -> bool:
        """Run one part, its output going straight through. True when it passed."""
        print(f"\n== {title}", flush=True)
        started = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **(environment or {})}, check=False)
        passed = done.returncode == 0
        self.lines.append(f"{'passed' if passed else 'FAILED':9}{title} ({time.monotonic() - started:.0f} s)")
        if not passed:
            self.failed.append(title)
        return passed

    def leave_out(self, title: str, why: str, *, needed: bool) -> None:
        """Note a part that cannot run here; a failure where it is needed and CI asks for everything."""
        print(f"\n== {title}: left out, {why}", flush=True)
        if needed and self.strict:
            self.failed.append(title)
            why += "; with CI=true that is a failure"
        self.lines.append(f"left out {title}: {why}")

    def summarise(self) -> None:
        print("\n== So far", *self.lines, sep="\n", flush=True)


def brokers_missing() -> dict[str, str]:
    """Each broker that does not answer, and where it was looked for. Its tests are skipped then; in CI they fail."""
    found = {}
    for title, (host_name, port_name, usual) in BROKERS.items():
        host, port = os.environ.get(host_name, "127.0.0.1"), int(os.environ.get(port_name, usual))
        try:
            with socket.create_connection((host, port), timeout=2):
                pass
        except OSError:
            found[title] = f"nothing answers on {host}:{port}"
    return found


def missing(database: str) -> str:
    """Why the tests cannot run on a database server here; empty when they can."""
    if importlib.util.find_spec(DRIVERS[database]) is None:
        if database != "mariadb":
            return f"the driver {DRIVERS[database]} is not installed"
        if not install_mysqlclient():
            return "mysqlclient cannot be compiled without the client's headers (Debian: libmariadb-dev, pkg-config)"
    host, port = databases.address(database)
    try:
        with socket.create_connection((host, port), timeout=2):
            return ""
    except OSError:
        return f"nothing answers on {host}:{port}"


def install_mysqlclient() -> bool:
    """Install the mariadb extra where its headers are. True when it is there afterwards."""
    try:
        found = any(
            subprocess.run(["pkg-config", "--exists", name], check=False).returncode == 0
            for name in MARIADB_HEADERS
        )
    except FileNotFoundError:
        return False
    if not found:
        return False
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--editable", ".[mariadb]"]
    return subprocess.run(install, cwd=ROOT, check=False).returncode == 0


def on_newer_python(everything: Everything, command: list[str]) -> None:
    """The suite on SQLite, on the newest Django, under the Python that `command` gives."""
    with tempfile.TemporaryDirectory() as empty:
        # What an earlier run left in the copy would be tested again.
        subprocess.run([*command, empty, "sh", "-c", "find . -mindepth 1 -delete"], check=False)
    install = f"python -m pip install -q --disable-pip-version-check -e '.[test]' '{NEWER_DJANGO}'"
    versions = "import sys, django; print('Python', sys.version.split()[0], 'Django', django.__version__)"
    # Races, triggers and the roads of a grant say something about databases, and nothing about Python.
    about_databases = (
        "tests/concurrency",
        "tests/access/roads",
        "tests/ledger/guard",
        "tests/ledger/test_restoring.py",
    )
    left_out = shlex.join(
        [*(f"--ignore={path}" for path in about_databases), "-m", "(versions or not once) and not slow"]
    )
    suite = f"{install} && python -c {shlex.quote(versions)} && python {shlex.join(PYTEST)} {left_out}"
    everything.run("pytest on SQLite, newer Python and Django", [*command, str(ROOT), "sh", "-c", suite])


def main() -> int:
    # Thousands of processes are started in a run: without it each would compile every module anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # A shell that starts it in the background has interrupts ignored, which all those processes would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    everything = Everything(strict=os.environ.get("CI") == "true")
    python = [sys.executable]
    everything.run("ruff check", [*python, "-m", "ruff", "check", "."])
    everything.run("ruff format", [*python, "-m", "ruff", "format", "--check", "."])
    everything.run("mypy", [*python, "-m", "mypy"])
    for database, title in TITLES.items():
        if why := missing(database):
            everything.leave_out(f"pytest on {title}", why, needed=True)
        else:
            # Host projects in processes of their own: on SQLite, and where DDL commits by itself.
            slow = "" if database == "mariadb" else " and not slow"
            suite = [*python, *PYTEST, "-m", f"not once and not pure{slow}"]
            everything.run(f"pytest on {title}", suite, {"DATABASE": database})
    if newer := shlex.split(os.environ.get("NEWER_PYTHON", "")):
        on_newer_python(everything, newer)
    else:
        everything.leave_out(
            "pytest on a newer Python and Django", "NEWER_PYTHON names no command for it", needed=False
        )
    if chromium.executable() is None:
        # The suite on SQLite skips them.
        everything.leave_out("tests in a browser", chromium.ADVICE, needed=True)
    for title, why in brokers_missing().items():
        everything.leave_out(f"Celery on {title}", why, needed=True)
    everything.summarise()
    everything.run("pytest on SQLite", [*python, *PYTEST], {"DATABASE": "sqlite"})
    if everything.failed:
        print("\nFailed: " + ", ".join(everything.failed), file=sys.stderr)
    return 1 if everything.failed else 0


if __name__ == "__main__":
    sys.exit(main())
