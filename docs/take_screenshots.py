"""Takes the pictures in docs/images of the demo: `make demo SERVE=0`, then `python -m docs.take_screenshots [NAME...]`.

Works on a copy of the demo's database, which stays as it is. Needs what the tests in a browser need, and the font
Roboto (Debian: fonts-roboto-unhinted) for pictures that look the same wherever they are taken.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import chromium

ROOT = Path(__file__).resolve().parent.parent
IMAGES = Path(__file__).resolve().parent / "images"
PASSWORD = "for the pictures alone"  # noqa: S105 - of a copy that is thrown away
DESKTOP, PHONE = 1280, 390
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><include ignore_missing="yes">/etc/fonts/fonts.conf</include>
<match target="pattern"><test name="family"><string>Segoe UI</string></test>
<edit name="family" mode="assign" binding="strong"><string>Roboto</string></edit></match></fontconfig>
"""


@dataclass(frozen=True)
class Picture:
    """One page as one person sees it."""

    name: str
    path: str
    who: str = "demo"
    dark: bool = False
    phone: bool = False
    tall: int = 1400
    """A picture of a longer page ends there."""
    typed: tuple[tuple[str, str], ...] = ()
    """What is typed before, by label."""
    chosen: str = ""
    """The action that is chosen for all records of a list, and not run."""

    newest: bool = False
    """Whether the newest conversation that the page lists is opened first."""

    @property
    def file(self) -> Path:
        return IMAGES / f"{self.name}-{'dark' if self.dark else 'light'}{'-390' if self.phone else ''}.png"


def pictures(ticket: int, resolved: int, invoice: int) -> Iterator[Picture]:
    """What there is to see; the keys are of records that the demo has."""
    of_ticket = f"/admin/helpdesk/ticket/{ticket}"
    solution = (
        ("Solution", "Driver 4.1 drops pages after the first. Rolled back to 4.0 on both print servers."),
        ("Minutes spent", "45"),
    )
    main = (
        Picture("record", f"{of_ticket}/change/", "anna"),
        Picture("dashboard", "/admin/lifecycle/"),
        Picture("lifecycle", "/admin/lifecycle/helpdesk.ticket/", tall=1480),
        Picture("log", "/admin/lifecycle/log/"),
        Picture("ledger", "/admin/lifecycle/ledger/"),
    )
    for picture in main:
        yield picture
        yield replace(picture, dark=True)
    for picture in main[:2]:
        yield replace(picture, phone=True)
    yield Picture("denied", f"/admin/helpdesk/ticket/{resolved}/change/", "tomas")
    yield Picture("event", f"{of_ticket}/event/resolve/", "anna", typed=solution)
    yield Picture("event", f"{of_ticket}/event/resolve/", "anna", typed=solution, phone=True)
    yield Picture("invoice-event", f"/admin/billing/invoice/{invoice}/event/send_invoice/", "clara")
    yield Picture("list", "/admin/helpdesk/ticket/?state=resolved", "sergio", chosen="fire_close")
    yield Picture("roles", "/admin/lifecycle/roles/", "sergio")
    yield Picture("refusals", "/admin/lifecycle/refusals/", "sergio")
    yield Picture("retention", "/admin/lifecycle/retention/")
    yield Picture("settings", "/admin/lifecycle/settings/", "audrey")
    yield Picture("work", "/admin/lifecycle/work/", tall=1500)
    yield Picture("agents", "/admin/lifecycle/agents/", "anna", tall=1100)
    yield Picture(
        "explorer", "/admin/lifecycle/helpdesk.ticket/agent/?tool=resolve_ticket", "anna", tall=1300
    )
    chat = Picture("chat", "/admin/lifecycle/helpdesk.ticket/agent/chat/", "anna", newest=True, tall=1600)
    yield chat
    yield replace(chat, dark=True)
    yield replace(chat, phone=True, tall=2400)
    yield Picture("webhooks", "/admin/lifecycle/webhooks/", tall=1100)


@dataclass(frozen=True)
class Demo:
    """A copy of the demo's database, and the environment in which `manage.py` works on it."""

    database: Path
    environment: dict[str, str]

    def manage(self, *arguments: str) -> list[str]:
        return [sys.executable, "manage.py", *arguments]

    def run(self, *arguments: str) -> None:
        subprocess.run(  # noqa: S603 - our own command
            self.manage(*arguments), cwd=ROOT, env=self.environment, check=True, stdout=subprocess.DEVNULL
        )

    def key(self, query: str) -> int:
        """The primary key that a query finds."""
        with closing(sqlite3.connect(self.database)) as database:
            found = database.execute(query).fetchone()
        if found is None:
            raise SystemExit(f"The demo's database has no such record: {query}")
        return int(found[0])


@contextmanager
def copied() -> Iterator[Demo]:
    """A copy to log in to and to act on."""
    original = Path(os.environ.get("SAMPLE_DB_NAME", ROOT / "db.sqlite3"))
    if not original.exists():
        raise SystemExit("There is no demo yet. Run: make demo SERVE=0")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "demo.sqlite3"
        with closing(sqlite3.connect(original)) as kept, closing(sqlite3.connect(copy)) as fresh:
            kept.backup(fresh)
        # A copy that sealed beside the original's checkpoints would look like a fork.
        ledger = Path(os.environ.get("SAMPLE_LEDGER", ROOT))
        shutil.copy(ledger / "ledger.key", folder)
        shutil.copytree(ledger / "checkpoints", Path(folder) / "checkpoints")
        places = {"SAMPLE_DB": "sqlite", "SAMPLE_DB_NAME": str(copy), "SAMPLE_LEDGER": folder}
        places["SAMPLE_DISPATCH"] = "command"  # nothing moves while a picture is taken
        demo = Demo(copy, {**os.environ, **places})
        demo.run("migrate", "--verbosity=0")
        demo.run("demo_users", "--password", PASSWORD)
        demo.run("lifecycle_seal", "--once")
        demo.run("shell", "--command", "from docs import picture_data; picture_data.make()")
        yield demo


@contextmanager
def serving(demo: Demo) -> Iterator[str]:
    """The address at which the copy is served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = demo.manage("runserver", "--noreload", f"127.0.0.1:{port}")
    with subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=ROOT, env=demo.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            for _ in range(300):
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def log_in(page: Page, who: str) -> None:
    page.goto("/admin/login/")
    page.get_by_label("Username:").fill(who)
    page.get_by_label("Password:").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def take(picture: Picture, browser: Browser, address: str) -> None:
    context = browser.new_context(
        base_url=address,
        viewport={"width": PHONE if picture.phone else DESKTOP, "height": 800},
        color_scheme="dark" if picture.dark else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    log_in(page, picture.who)
    answer = page.goto(picture.path)
    if answer is None or not answer.ok:
        print(f"{picture.file.name}: left out, {picture.path} answers {answer and answer.status}")
        return
    if picture.newest:
        page.locator(".lc-list a").first.click()
        page.wait_for_load_state()
    for label, text in picture.typed:
        page.get_by_label(label).fill(text)
    if picture.chosen:
        page.locator("#action-toggle").check()
        page.get_by_label("Action:").select_option(picture.chosen)
    tall = int(page.evaluate("() => document.documentElement.scrollHeight"))
    page.set_viewport_size(
        {"width": PHONE if picture.phone else DESKTOP, "height": min(max(tall, 400), picture.tall)}
    )
    page.screenshot(path=picture.file)
    context.close()
    print(f"{picture.file.name}: {picture.file.stat().st_size // 1000} kB")


@contextmanager
def browsing() -> Iterator[Browser]:
    """Chromium, with Roboto as the system's font."""
    path = chromium.executable()
    if path is None:
        raise SystemExit(f"No pictures: {chromium.ADVICE}")
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as fonts, sync_playwright() as playwright:
        fonts.write(FONTS)
        fonts.flush()
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"], env={**os.environ, "FONTCONFIG_FILE": fonts.name}
        )
        yield browser
        browser.close()


def main(names: list[str]) -> None:
    IMAGES.mkdir(exist_ok=True)
    with copied() as demo, serving(demo) as address, browsing() as browser:
        ticket = demo.key(
            "SELECT ticket.id FROM helpdesk_ticket ticket JOIN auth_user ON auth_user.id = assignee_id "
            "WHERE state = 'in_progress' AND username = 'anna'"
        )
        resolved = demo.key("SELECT id FROM helpdesk_ticket WHERE state = 'resolved' ORDER BY number DESC")
        invoice = demo.key("SELECT id FROM billing_invoice WHERE number = 'DEMO-1'")
        for picture in pictures(ticket, resolved, invoice):
            if not names or picture.name in names:
                take(picture, browser, address)


if __name__ == "__main__":
    main(sys.argv[1:])
