"""`verify`: what is right comes out, and everything else is one exception."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from fsm_lifecycle.webhooks import receive, signing
from fsm_lifecycle.webhooks.receive import InvalidSignature

pytestmark = [pytest.mark.pure, pytest.mark.once]

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
BODY = '{"id":"msg_1","näme":"Ångström"}'.encode()
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
AT = int(NOW.timestamp())


def signed(body: bytes = BODY, secret: str = SECRET, at: int = AT) -> dict[str, str]:
    return signing.headers("msg_1", at, body, [secret])


@pytest.fixture(autouse=True)
def now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def test_what_is_right_is_read() -> None:
    assert receive.verify(BODY, signed(), SECRET) == json.loads(BODY)
    assert receive.verify(BODY.decode(), signed(), [OTHER, SECRET]) == json.loads(BODY)
    assert receive.verify(BODY, {name.upper(): value for name, value in signed().items()}, SECRET)
    assert receive.verify(BODY, {name.encode(): value.encode() for name, value in signed().items()}, SECRET)  # type: ignore[misc]


def test_the_reference_library_agrees() -> None:
    Webhook(SECRET).verify(BODY, signed())
    # Its own signature, of a naive time that is taken for UTC.
    theirs = Webhook(SECRET).sign("msg_1", NOW.replace(tzinfo=None), BODY.decode())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(AT), "webhook-signature": theirs}
    assert receive.verify(BODY, headers, SECRET)


def test_one_right_signature_among_others_is_enough() -> None:
    headers = signed()
    headers["webhook-signature"] = f"v1a,xyz v1,AAAA {headers['webhook-signature']} v2,nonsense"
    assert receive.verify(BODY, headers, SECRET)


@pytest.mark.parametrize("away", [-301, -3600, 301, 86400])
def test_a_message_of_another_time_is_refused(away: int) -> None:
    with pytest.raises(InvalidSignature, match="seconds"):
        receive.verify(BODY, signed(at=AT + away), SECRET)


@pytest.mark.parametrize("away", [-300, -1, 0, 300])
def test_within_the_tolerance_it_is_taken(away: int) -> None:
    assert receive.verify(BODY, signed(at=AT + away), SECRET)


def test_a_replay_is_refused_when_its_time_is_over() -> None:
    headers = signed()
    with time_machine.travel(NOW + timedelta(minutes=6), tick=False), pytest.raises(InvalidSignature):
        receive.verify(BODY, headers, SECRET)


ILL_HEADERS: dict[str, dict[str, Any]] = {
    "no id": {"webhook-id": None},
    "an empty id": {"webhook-id": ""},
    "another id": {"webhook-id": "msg_2"},
    "an id that is no text": {"webhook-id": "\ud800"},
    "an id that is a number": {"webhook-id": 7},
    "no timestamp": {"webhook-timestamp": None},
    "a later timestamp": {"webhook-timestamp": str(AT + 1)},
    "a timestamp in words": {"webhook-timestamp": "noon"},
    "a timestamp with a point": {"webhook-timestamp": f"{AT}.0"},
    "a timestamp with a sign": {"webhook-timestamp": f"+{AT}"},
    "a timestamp in other digits": {"webhook-timestamp": "١٧٩٥"},
    "a timestamp with underscores": {"webhook-timestamp": "1_795"},
    "an endless timestamp": {"webhook-timestamp": "9" * 5000},
    "infinity": {"webhook-timestamp": "inf"},
    "no number": {"webhook-timestamp": "nan"},
    "no signature": {"webhook-signature": None},
    "a signature without a version": {"webhook-signature": "AAAA"},
    "two commas": {"webhook-signature": "v1,AAAA,BBBB"},
    "no base64": {"webhook-signature": "v1,***"},
    "base64 without its end": {"webhook-signature": "v1,AAA"},
    "a signature beyond ASCII": {"webhook-signature": "v1,Ångström"},
    "a lone surrogate": {"webhook-signature": "v1,\ud800"},
    "blanks alone": {"webhook-signature": "   "},
    "bytes beyond ASCII": {"webhook-signature": b"v1,\xff\xfe"},
    "another version": {"webhook-signature": signed()["webhook-signature"].replace("v1,", "v2,")},
    "hexadecimal": {"webhook-signature": "v1," + "0" * 64},
    "a list": {"webhook-signature": ["v1,AAAA"]},
}


@pytest.mark.parametrize("changed", ILL_HEADERS.values(), ids=ILL_HEADERS)
def test_an_ill_header_is_refused(changed: dict[str, Any]) -> None:
    headers = {name: value for name, value in {**signed(), **changed}.items() if value is not None}
    with pytest.raises(InvalidSignature):
        receive.verify(BODY, headers, SECRET)


@pytest.mark.parametrize(
    "body", [b"", BODY + b" ", BODY[:-1], b"\xff\xfe", "", "\ud800", None, 7, {"id": "msg_1"}, object()]
)
def test_another_body_is_refused(body: Any) -> None:
    with pytest.raises(InvalidSignature):
        receive.verify(body, signed(), SECRET)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000])
def test_a_signed_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidSignature):
        receive.verify(body, signed(body), SECRET)


@pytest.mark.parametrize(
    "secrets", ["", "whsec_", "whsec_***", "whsec_Ångström", [], [""], [None], None, 7, [b"bytes"], OTHER]
)
def test_without_the_secret_nothing_is_believed(secrets: Any) -> None:
    with pytest.raises(InvalidSignature):
        receive.verify(BODY, signed(), secrets)


@pytest.mark.parametrize("headers", [None, 7, "text", [1, 2], {}, {None: None}, [("a", "b", "c")]])
def test_what_are_no_headers_is_refused(headers: Any) -> None:
    with pytest.raises(InvalidSignature):
        receive.verify(BODY, headers, SECRET)


ANYTHING = st.one_of(st.none(), st.text(), st.binary(), st.integers(), st.floats(), st.lists(st.text()))


@given(
    body=ANYTHING,
    message_id=ANYTHING,
    timestamp=ANYTHING | st.just(str(AT)),
    signature=ANYTHING,
    secret=ANYTHING,
)
def test_whatever_comes_is_refused_with_one_exception(
    body: Any, message_id: Any, timestamp: Any, signature: Any, secret: Any
) -> None:
    headers = {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    with pytest.raises(InvalidSignature):
        receive.verify(body, headers, secret)


def test_a_receiver_needs_no_settings() -> None:
    code = f"""
import time
from fsm_lifecycle.webhooks import receive, signing
body, secret = {BODY!r}, {SECRET!r}
headers = signing.headers("msg_1", int(time.time()), body, [secret])
print(receive.verify(body, headers, secret)["id"])
try:
    receive.verify(body, headers, {OTHER!r})
except receive.InvalidSignature:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={})
    assert (done.stdout, done.stderr) == ("msg_1\nrefused\n", "")
