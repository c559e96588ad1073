"""The docs' examples for curl, as their reader would run them, against a server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from fsm_lifecycle.models import TransitionLog
from sample_project.billing.models import Contract, Invoice
from tests.api.serving import serving
from tests.docsapp.page import blocks
from tests.sample.making import SETUP, an_invoice, somebody

# The page calls its first invoice 1.
pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True, reset_sequences=True)]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_examples_do_what_the_page_says(child_environment: Mapping[str, str]) -> None:
    from fsm_lifecycle.access import grant_role

    clara = somebody("clara", clerk=Invoice)
    paul = somebody("paul", approver=Invoice)
    grant_role(paul, "approver", on=Contract, by=SETUP)
    for user in get_user_model().objects.all():
        user.set_password("demo")
        user.save()
    for number in range(3):
        an_invoice(clara, f"N-{number}")
    examples = [code.strip() for language, code, _ in blocks(PAGE.read_text()) if language == "bash"]
    with serving(child_environment) as server:
        environment = {**os.environ, "API": f"http://127.0.0.1:{server.port}/api"}
        answers = [run(code, environment) for code in examples]
    drafts, sent, again, paid, history, many = answers
    assert len(drafts["results"]) == 3
    assert sent["record"]["state"] == "sent"
    assert again == sent
    assert paid["record"]["state"] == "paid"
    assert [one["event"] for one in history["results"]] == [None, "send_invoice", "pay"]
    assert [one["status"] for one in many["results"]] == [200, 200, 404]
    assert TransitionLog.objects.by_event("send_invoice").filter(object_pk=1).count() == 1


def run(example: str, environment: Mapping[str, str]) -> Any:
    """What an example prints."""
    command = ["sh", "-c", f"{example} -s"]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
