"""What receivers believe, by the specification's words alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
import time_machine

from fsm_lifecycle.webhooks import receive

# What tells databases apart is tried beside the package's own tests of webhooks.
pytestmark = pytest.mark.once


SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


def signed(body: bytes, when: int | None = None) -> dict[str, str]:
    when = int(time.time()) if when is None else when
    mac = hmac.new(b"k" * 24, f"msg_1.{when}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(when),
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }


@pytest.mark.pure
def test_verify_takes_headers_in_any_case_and_several_secrets() -> None:
    body = b'{"a": 1}'
    headers = signed(body)
    assert receive.verify(body, headers, [SECRET]) == {"a": 1}
    assert receive.verify(body.decode(), headers, [SECRET]) == {"a": 1}
    assert receive.verify(body, {k.title(): v for k, v in headers.items()}, (SECRET,)) == {"a": 1}
    other = "whsec_" + base64.b64encode(b"o" * 24).decode()
    assert receive.verify(body, headers, [other, SECRET]) == {"a": 1}
    many = {**headers, "webhook-signature": f"v1a,zzz v2,abc junk {headers['webhook-signature']}"}
    assert receive.verify(body, many, [SECRET]) == {"a": 1}
    old = signed(body, int(time.time()) - 400)
    assert receive.verify(body, old, [SECRET], tolerance=500) == {"a": 1}


@pytest.mark.pure
@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": None},
        {"webhook-timestamp": None},
        {"webhook-signature": None},
        {"webhook-id": "msg_2"},
        {"webhook-id": "mßg\udcff"},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "inf"},
        {"webhook-timestamp": "1" * 5000},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "٣"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,***"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v1,\udcff"},
        {"webhook-signature": b"v1,abc"},
        {"webhook-signature": 5},
        {"webhook-timestamp": 12.5},
    ],
)
def test_malformed_headers_give_one_exception(change: dict[str, Any]) -> None:
    headers: dict[str, Any] = {**signed(b"{}"), **change}
    headers = {name: value for name, value in headers.items() if value is not None}
    with pytest.raises(receive.InvalidSignature):
        receive.verify(b"{}", headers, [SECRET])


@pytest.mark.pure
@pytest.mark.parametrize("body", [b"", b"nope", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN', b"\x00"])
def test_a_body_that_is_no_json_gives_the_same_exception(body: bytes) -> None:
    with pytest.raises(receive.InvalidSignature):
        receive.verify(body, signed(body), [SECRET])


@pytest.mark.pure
@pytest.mark.parametrize("offset", [-301, 301, -(10**6), 10**6, 10**18])
def test_times_outside_the_tolerance(offset: int) -> None:
    with time_machine.travel("2026-11-30 10:00Z", tick=False), pytest.raises(receive.InvalidSignature):
        receive.verify(b"{}", signed(b"{}", int(time.time()) + offset), [SECRET])


@pytest.mark.pure
@pytest.mark.parametrize("secrets", [[], ["whsec_???"], ["whsec_"], ["é"], ["plain"], [""], ""])
def test_no_or_odd_secrets_verify_nothing(secrets: Any) -> None:
    with pytest.raises(receive.InvalidSignature):
        receive.verify(b"{}", signed(b"{}"), secrets)


@pytest.mark.pure
@pytest.mark.parametrize("headers", [None, [], {}, {1: 2}])
def test_odd_headers(headers: Any) -> None:
    with pytest.raises(receive.InvalidSignature):
        receive.verify(b"{}", headers, [SECRET])


@pytest.mark.pure
def test_json_dumps_of_an_integer_is_too_long_to_read() -> None:
    body = b'{"a": ' + b"9" * 5000 + b"}"
    with pytest.raises(receive.InvalidSignature):
        receive.verify(body, signed(body), [SECRET])
    assert json.loads(b"{}") == {}
