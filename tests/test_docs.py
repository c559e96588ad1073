"""The README and the docs: they build, their code runs, and the commands they name exist."""

import configparser
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.admin import AdminSite
from django.core.management import get_commands

from fsm_lifecycle.admin import LifecycleSection
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.ledger.log_file import KEYS
from tests.docsapp.page import blocks

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = {"sh", "bash", "console"}
by_path = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def shell_lines(page: Path) -> list[str]:
    return [
        line.removeprefix("$ ").split("#")[0].strip()
        for language, code, _ in blocks(page.read_text())
        if language in SHELL
        for line in code.splitlines()
    ]


def management_commands() -> set[str]:
    """Commands of Django, of the installed apps and of the sample project, which the tests do not install."""
    own = {path.stem for path in (ROOT / "sample_project").rglob("management/commands/*.py")}
    return own | set(get_commands())


def unknown(line: str) -> bool:
    """Whether a shell line names a make target, management command, module or extra that is not there."""
    if made := re.match(r"make (\w+)", line):
        return not re.search(rf"^{made[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    if managed := re.match(r"python manage\.py (\w+)", line):
        return managed[1] not in management_commands()
    if module := re.match(r"python -m (\w+)", line):
        return importlib.util.find_spec(module[1]) is None
    if extras := re.match(r".*fsm-lifecycle\[([\w,]+)\]", line):
        setup = configparser.ConfigParser(interpolation=None)
        setup.read(ROOT / "setup.cfg")
        return not set(extras[1].split(",")) <= set(setup["options.extras_require"])
    return False


def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    site = tmp_path / "site"
    # Not --quiet: it drops the warnings before --strict counts them.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (site / "index.html").exists()


@by_path
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    if not {"python", "pycon"} & {language for language, _, _ in blocks(page.read_text())}:
        pytest.skip("no code on this page")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE": "sqlite",
        "DATABASE_NAME": str(tmp_path / "page.sqlite3"),
    }
    command = [sys.executable, "-m", "tests.docsapp.page", str(page)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@by_path
def test_the_commands_a_page_names_exist(page: Path) -> None:
    assert [line for line in shell_lines(page) if unknown(line)] == []


def test_the_page_on_checks_names_every_check() -> None:
    told = re.findall(r"^\| `([EW]\d{3})` \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
    package = (ROOT / "fsm_lifecycle").rglob("*.py")
    found = {name for path in package for name in re.findall(r"\b[EW]\d{3}\b", path.read_text())}
    assert told == sorted(told, key=lambda name: name[1:])
    assert set(told) == found


def test_the_page_on_the_ledger_names_every_field_of_an_export() -> None:
    text = (ROOT / "docs" / "ledger.md").read_text()
    table = text[text.index("### The format of an export") : text.index("Whoever gets an export")]
    told: dict[str, list[str]] = {}
    last = ""
    for kind, fields in re.findall(r"^\| (\w*) ?\| (`.+?`) \|", table, re.MULTILINE):
        last = kind or last  # a row that names no line goes on with that of the row above
        told.setdefault(last, []).extend(re.findall(r"`(\w+)`", fields))
    assert told.pop("every") == ["type"]
    assert told == {kind: list(fields[1:]) for kind, fields in KEYS.items()}


def test_the_page_on_the_admin_names_every_page_with_its_permission() -> None:
    text = (ROOT / "docs" / "admin-developers.md").read_text()
    told = re.findall(r"^\|[^|]*\| `lifecycle/(.*?)` \| `lifecycle_(\w+)` \| `(\w+)` \|$", text, re.MULTILINE)
    shown = {
        (re.sub(r"<.*?>", "<>", path), name, f"fsm_lifecycle.{permission}") for path, name, permission in told
    }
    pages = {(re.sub(r"<.*?>", "<>", page.route), page.name, page.permission) for page in section_pages()}
    assert shown == pages


def section_pages() -> tuple[type[Page], ...]:
    return LifecycleSection(AdminSite()).pages


def test_the_pictures_of_the_readme_are_there() -> None:
    named = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_a_command_that_does_not_exist_is_noticed() -> None:
    lines = ["make tea", "python manage.py brew", "python -m tea_maker", "pip install 'fsm-lifecycle[tea]'"]
    assert [unknown(line) for line in lines] == [True] * 4
