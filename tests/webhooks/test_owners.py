"""An endpoint with an owner is told of what the owner may see, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import grant_role, revoke_role
from fsm_lifecycle.models import WebhookDelivery, WebhookEndpoint
from tests.acting import ACTOR
from tests.testapp.models import Light
from tests.testapp.offices import Claim
from tests.webhooks.receiver import Receiver, says

Work = Callable[[], int]
BY = System("tests")


@pytest.fixture
def olga(db: None) -> User:
    return User.objects.create_user("olga")


@pytest.fixture
def hers(olga: User, reachable: Receiver) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(url=reachable.url(), owner=olga, events=["*", "*:*"])


def told(receiver: Receiver) -> list[str]:
    return sorted(got.json["type"] for got in receiver.got)


def test_an_owner_without_roles_is_told_of_nothing(
    hers: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    Claim.objects.create(title="Broken window")
    work()
    assert told(reachable) == []


def test_a_role_on_one_record_lets_that_record_through(
    hers: WebhookEndpoint, olga: User, reachable: Receiver, work: Work
) -> None:
    mine, _ = Claim.objects.create(title="Broken window"), Claim.objects.create(title="Flood")
    grant_role(olga, "auditor", on=mine, by=BY)
    work()
    assert [got.json["data"]["pk"] for got in reachable.got] == [str(mine.pk)]


def test_a_role_for_all_records_lets_all_through(
    hers: WebhookEndpoint, olga: User, reachable: Receiver, work: Work
) -> None:
    grant_role(olga, "auditor", on=Claim, by=BY)
    Claim.objects.create(title="Broken window")
    work()
    assert told(reachable) == ["testapp.claim:created"]


def test_where_there_are_no_roles_every_active_owner_is_told(
    hers: WebhookEndpoint, olga: User, reachable: Receiver, work: Work
) -> None:
    Light.objects.create()
    olga.is_active = False
    olga.save()
    work()
    assert told(reachable) == []
    olga.is_active = True
    olga.save()
    Light.objects.create()
    work()
    assert told(reachable) == ["testapp.light:created"]


def test_a_right_that_is_lost_before_a_message_could_be_sent_stops_it(
    hers: WebhookEndpoint, olga: User, reachable: Receiver, work: Work
) -> None:
    reachable.answer = says(500)
    grant_role(olga, "auditor", on=Claim, by=BY)
    Claim.objects.create(title="Broken window")
    work()
    assert len(reachable.got) == 1
    revoke_role(olga, "auditor", on=Claim, by=BY)
    WebhookDelivery.objects.update(due_at=WebhookDelivery.objects.get().created_at)
    work()
    assert len(reachable.got) == 1
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.reason) == ("dead", "not_visible")


@pytest.mark.parametrize("through_a_group", [False, True])
def test_who_could_see_a_record_is_told_of_its_end(
    through_a_group: bool, hers: WebhookEndpoint, olga: User, reachable: Receiver, work: Work
) -> None:
    holder: Any = olga
    if through_a_group:
        holder = Group.objects.create(name="readers")
        olga.groups.add(holder)
    claim, other = Claim.objects.create(title="Broken window"), Claim.objects.create(title="Flood")
    grant_role(holder, "auditor", on=claim, by=BY)
    key = str(claim.pk)
    with acting_as(ACTOR):
        claim.delete()
        other.delete()
    work()
    assert {got.json["data"]["pk"] for got in reachable.got} == {key}
    assert told(reachable) == ["testapp.claim:created", "testapp.claim:deleted"]


def test_who_lost_the_right_before_is_not_told_of_the_end(
    hers: WebhookEndpoint, olga: User, reachable: Receiver, work: Work
) -> None:
    claim = Claim.objects.create(title="Broken window")
    grant_role(olga, "auditor", on=claim, by=BY)
    revoke_role(olga, "auditor", on=claim, by=BY)
    with acting_as(ACTOR):
        claim.delete()
    work()
    assert told(reachable) == []


def test_with_its_owner_an_endpoint_goes(hers: WebhookEndpoint, olga: User) -> None:
    olga.delete()
    assert not WebhookEndpoint.objects.exists()
