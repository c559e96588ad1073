"""What the API promises of the log: histories, proofs that a stranger can check, streams, and its own description."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import AsyncClient, override_settings

from fsm_lifecycle import redact
from fsm_lifecycle.access import grant_role, revoke_role
from fsm_lifecycle.models import Checkpoint, TransitionLog
from sample_project.billing.models import Invoice
from tests.acceptance.api_site import SETUP, client, person, problem
from tests.sample.making import an_invoice
from tests.testapp.models import Light

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.acceptance.api_site")]
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def clara() -> User:
    return person("clara", Invoice, "clerk")


@pytest.fixture
def keyed(tmp_path: Path) -> Any:
    """A ledger with a key and a folder for its checkpoints; the public key's file."""
    key, public = tmp_path / "ledger.key", tmp_path / "ledger.pub"
    settings = {
        "LEDGER_ORIGIN": "example.com/ledger",
        "LEDGER_KEY": str(key),
        "LEDGER_CHECKPOINT_DIR": str(tmp_path / "kept"),
    }
    (tmp_path / "kept").mkdir()
    with override_settings(FSM_LIFECYCLE=settings):
        said = StringIO()
        call_command("lifecycle_key", "new", stdout=said, stderr=StringIO())
        found = re.search(r"example\.com/ledger\+[0-9a-f]{8}\+\S+", said.getvalue())
        assert found is not None, said.getvalue()
        public.write_text(found[0] + "\n")
        yield public


def seal() -> None:
    call_command("lifecycle_seal", "--once", verbosity=0)


def worked(times: int = 2) -> Light:
    light: Light = Light.objects.create()
    for _ in range(times):
        light.fire("switch_on", actor=SETUP)
        light.fire("switch_off", actor=SETUP)
    return light


# --- histories -----------------------------------------------------------------------------------------------


def test_a_history_is_read_from_where_one_stopped(root: User) -> None:
    light = worked()
    address = f"/api/testapp.light/{light.pk}/transitions/"
    everything = client(root).get(address).json()["results"]
    assert [one["sequence"] for one in everything] == [1, 2, 3, 4, 5]
    assert [one["event"] for one in everything] == [
        None,
        "switch_on",
        "switch_off",
        "switch_on",
        "switch_off",
    ]
    assert client(root).get(f"{address}?after=3").json()["results"] == everything[3:]
    assert client(root).get(f"{address}?after=0").json()["results"] == everything
    assert client(root).get(f"{address}?after=5").json()["results"] == []
    for wrong in ("x", "-1", "1.5", "9" * 40, "%00", "٣"):
        assert "after" in str(problem(client(root).get(f"{address}?after={wrong}"), 400)["errors"])
    paged: list[Any] = []
    following: Any = f"{address}?page_size=2"
    while following:
        page = client(root).get(following).json()
        paged += page["results"]
        following = page["next"]
    assert paged == everything


def test_the_log_holds_what_the_asking_user_may_see(root: User, clara: User) -> None:
    invoice, light = an_invoice(clara), worked()
    seal()
    mine = client(clara).get("/api/log/").json()["results"]
    assert {one["model"] for one in mine} == {"billing.invoice"} | {
        # A lifecycle without roles is everybody's.
        "testapp.light"
    }
    assert [one["leaf_index"] for one in mine] == sorted(one["leaf_index"] for one in mine)
    stranger = person("stranger")
    assert "billing.invoice" not in client(stranger).get("/api/log/").content.decode()
    hashes = list(invoice.log.values_list("entry_hash", flat=True))
    for rest in ("", "proof/"):
        assert client(clara).get(f"/api/log/{hashes[0]}/{rest}").status_code == 200
        hidden = client(stranger).get(f"/api/log/{hashes[0]}/{rest}")
        missing = client(stranger).get(f"/api/log/{'0' * 64}/{rest}")
        problem(hidden, 404, "not_found")
        assert {**hidden.json(), "instance": ""} == {**missing.json(), "instance": ""}
        assert dict(hidden.headers) == dict(missing.headers)
    assert client(root).get(f"/api/log/{light.log.last().entry_hash}/").json()["event"] == "switch_off"  # type: ignore[union-attr]


def test_the_log_is_read_from_where_one_stopped(root: User) -> None:
    worked()
    seal()
    everything = client(root).get("/api/log/").json()["results"]
    assert [one["leaf_index"] for one in everything] == list(range(5))
    assert client(root).get("/api/log/?after=2").json()["results"] == everything[3:]
    answer = client(root).get("/api/log/?models=billing.invoice")
    assert answer.json()["results"] == []
    assert client(root).get("/api/log/?models=testapp.light,billing.invoice").json()["results"] == everything
    assert "models" in str(problem(client(root).get("/api/log/?models=no.model"), 400)["errors"])


# --- proofs --------------------------------------------------------------------------------------------------


def verified(bundle: Path, key: Path) -> int:
    """What the verifier ends with, alone."""
    return subprocess.run(
        [sys.executable, "-m", "fsm_lifecycle.ledger.verifier", str(bundle), "--key", str(key)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    ).returncode


def test_a_proof_from_the_api_convinces_who_has_nothing_of_ours(
    keyed: Path, clara: User, tmp_path: Path
) -> None:
    invoice = an_invoice(clara)
    invoice.fire("send_invoice", actor=clara)
    worked()
    seal()
    entry = invoice.log.last()
    assert entry is not None
    bundle = client(clara).get(f"/api/log/{entry.entry_hash}/proof/").json()
    assert {"v", "entry", "leaf_index", "inclusion", "checkpoint"} <= set(bundle)
    assert "body" in bundle or "digests" in bundle
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(bundle))
    assert verified(path, keyed) == 0
    path.write_text(json.dumps({**bundle, "entry": {**bundle["entry"], "to": "paid"}}))
    assert verified(path, keyed) == 1
    latest = client(clara).get("/api/checkpoints/latest/").json()
    assert bundle["checkpoint"] == latest["note"]
    assert "example.com/ledger" in latest["note"]


def test_a_proof_says_nothing_that_is_not_opened(keyed: Path, root: User) -> None:
    light = Light.objects.create()
    entry = light.fire("switch_on", actor=SETUP, metadata={"name": "not for everybody"})
    seal()
    answer = client(root).get(f"/api/log/{entry.entry_hash}/proof/")
    assert answer.status_code == 200
    assert "not for everybody" not in answer.content.decode()
    redact(entry, ["metadata"], reason="asked for", by=SETUP)
    assert client(root).get(f"/api/log/{entry.entry_hash}/proof/").status_code == 200


def test_what_is_not_sealed_has_no_proof_yet(root: User) -> None:
    light = worked()
    entry = light.log.last()
    assert entry is not None
    assert client(root).get(f"/api/log/{entry.entry_hash}/").status_code == 200
    answer = client(root).get(f"/api/log/{entry.entry_hash}/proof/")
    assert answer.status_code in (404, 409)
    problem(answer, answer.status_code)
    problem(client(root).get("/api/checkpoints/latest/"), 404)


def test_checkpoints_are_listed(root: User) -> None:
    for _ in range(2):
        worked(1)
        seal()
    listed = client(root).get("/api/checkpoints/").json()["results"]
    assert {one["tree_size"] for one in listed} == set(Checkpoint.objects.values_list("tree_size", flat=True))
    assert client(root).get("/api/checkpoints/latest/").json()["tree_size"] == 6


# --- the stream ----------------------------------------------------------------------------------------------


def test_under_wsgi_the_stream_points_to_the_log(root: User, clara: User) -> None:
    answer = client(root).get("/api/stream/")
    body = problem(answer, answer.status_code)
    assert answer.status_code in (406, 501, 503)
    assert "/log/?after=" in body["detail"]


async def events_of(asking: AsyncClient, address: str, count: int, **headers: str) -> list[dict[str, str]]:
    """The first events of a stream."""
    answer: Any = await asking.get(
        address, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"].startswith("text/event-stream")
    found: list[dict[str, str]] = []
    text = ""
    async for chunk in answer.streaming_content:
        text += chunk.decode() if isinstance(chunk, bytes) else chunk
        *whole, text = text.split("\n\n")
        for block in whole:
            lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "data" in lines:
                found.append(lines)
        if len(found) >= count:
            break
    await answer.streaming_content.aclose()
    answer.close()
    return found


@pytest.mark.django_db(transaction=True)
def test_a_stream_tells_sealed_entries_in_their_order_and_goes_on_where_it_stopped(root: User) -> None:
    worked()
    person("somebody")
    seal()
    asking = AsyncClient()
    asking.force_login(root)

    async def read() -> list[list[dict[str, str]]]:
        return [
            await events_of(asking, "/api/stream/", 5),
            await events_of(asking, "/api/stream/?after=1", 3),
            await events_of(asking, "/api/stream/", 2, Last_Event_ID="2"),
            await events_of(asking, "/api/stream/?models=testapp.light&after=3", 1),
        ]

    everything, after, resumed, last = async_to_sync(read)()
    assert [one["id"] for one in everything] == ["0", "1", "2", "3", "4"]
    assert after == everything[2:]
    assert resumed == everything[3:]
    assert last == everything[4:]
    logged = client(root).get("/api/log/").json()["results"]
    assert [json.loads(one["data"]) for one in everything] == logged


# --- its own description -------------------------------------------------------------------------------------


def test_the_schema_describes_every_address_that_the_specification_names(root: User) -> None:
    document = client(root).get("/api/schema/").json()
    paths = {re.sub(r"\{[^}]+\}", "{}", path.removeprefix("/api")) for path in document["paths"]}
    assert {
        "/lifecycles/",
        "/lifecycles/{}/",
        "/billing.invoice/",
        "/billing.invoice/{}/",
        "/billing.invoice/{}/events/",
        "/billing.invoice/{}/events/pay/",
        "/billing.invoice/-/events/pay/",
        "/billing.invoice/{}/transitions/",
        "/log/",
        "/log/{}/",
        "/log/{}/proof/",
        "/checkpoints/",
        "/checkpoints/latest/",
        "/proposals/",
        "/proposals/{}/approve/",
        "/proposals/{}/decline/",
        "/runs/",
        "/stream/",
    } <= paths
    assert "created_by" not in json.dumps(document["paths"]["/billing.invoice/"]["post"]["requestBody"])
    assert "paid_on" in json.dumps(document["components"])


def test_the_schema_is_given_to_tools_that_name_its_format(root: User) -> None:
    whole = client(root).get("/api/schema/").json()
    assert client(root).get("/api/schema/?format=json").json() == whole
    accepted = client(root).get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert accepted.json() == whole
    assert "format" in str(problem(client(root).get("/api/schema/?format=yaml"), 400)["errors"])


def test_the_schema_is_valid(root: User) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    OpenAPIV31SpecValidator(client(root).get("/api/schema/").json()).validate()


def test_rights_lost_end_what_the_log_shows(clara: User) -> None:
    invoice = an_invoice(clara)
    seal()
    paul = person("paul", Invoice, "approver")
    assert invoice.log.last() is not None
    assert client(paul).get("/api/log/?models=billing.invoice").json()["results"]
    revoke_role(paul, "approver", on=Invoice, by=SETUP)
    assert (
        client(User.objects.get(pk=paul.pk)).get("/api/log/?models=billing.invoice").json()["results"] == []
    )
    grant_role(paul, "auditor", on=invoice, by=SETUP)
    assert client(User.objects.get(pk=paul.pk)).get("/api/log/?models=billing.invoice").json()["results"]
    dan = person("dan")
    dan.user_permissions.add(Permission.objects.get(codename="view_all_entries"))
    seen = client(User.objects.get(pk=dan.pk)).get(
        f"/api/log/{TransitionLog.objects.latest('id').entry_hash}/"
    )
    assert seen.status_code in (200, 404)
