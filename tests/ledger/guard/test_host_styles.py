"""Host projects go on testing as they do, with the protection on: each style in one run, by each runner."""

from __future__ import annotations

import pytest

from tests.ledger.guard.shopping import PROJECT, Shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PYTEST = ["-m", "pytest", "-c", "tests/ledger/guard/shop_project/pytest.ini", "-q"]
STYLES = "tests/ledger/guard/shop_project/styles.py"
RESTORED = "tests/ledger/guard/shop_project/restored_styles.py"


def assert_passed(shop: Shop, *command: str, telling: str, **environment: str) -> None:
    """The run ends well, and as many tests ran as there are."""
    done = shop.run(*command, SHOP_STAYS="1", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert telling in done.stdout + done.stderr


def test_django_s_runner_in_two_processes(shop: Shop) -> None:
    tests = ["-m", "django", "test", f"{PROJECT}.styles", "--parallel", "2", "--no-input"]
    assert_passed(shop, *tests, telling="Ran 18 tests")


@pytest.mark.once
def test_django_s_rollback_emulation(shop: Shop) -> None:
    tests = ["-m", "django", "test", f"{PROJECT}.restored_styles", "--no-input"]
    assert_passed(shop, *tests, telling="Ran 2 tests", SHOP_WITH_ROW="1")


@pytest.mark.once
def test_pytest_django(shop: Shop) -> None:
    assert_passed(shop, *PYTEST, STYLES, telling="22 passed")


@pytest.mark.once
def test_pytest_django_without_migrations_in_two_processes(shop: Shop) -> None:
    assert_passed(shop, *PYTEST, STYLES, "--nomigrations", "-n", "2", telling="22 passed")


@pytest.mark.once
def test_pytest_django_s_rollback_emulation(shop: Shop) -> None:
    assert_passed(shop, *PYTEST, RESTORED, telling="4 passed", SHOP_WITH_ROW="1")
