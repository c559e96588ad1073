"""The page of roles: who holds what, granting and revoking by form, and what is refused with a sentence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.formats import date_format

from fsm_lifecycle import System
from fsm_lifecycle.access import delegate, grant_role, roles_of
from fsm_lifecycle.access.grant import GrantTerm
from fsm_lifecycle.models import AccessEvent, Delegation
from tests.access.roads.stored import permission
from tests.testapp.offices import Claim, Dossier, Plate, UrgentClaim

pytestmark = [pytest.mark.once, pytest.mark.django_db]

PAGE = "/admin/lifecycle/roles/"
ON = f"{PAGE}?on=testapp.claim"
SETUP = System("setup")


@pytest.fixture
def dario(db: None) -> User:
    return User.objects.create_user("dario", first_name="Dario", last_name="Greco")


def grant(browser: Client, whom: Any, **fields: Any) -> Any:
    kind = "group" if isinstance(whom, Group) else "user"
    data = {"do": "grant", "holder": f"{kind}:{whom.pk}", "role": "examiner", "scope": "all", **fields}
    return browser.post(ON, data, follow=True)


def messages(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def test_finding_shows_who_may_be_meant_and_grants_nothing(browser: Client, dario: User, texts: Any) -> None:
    answer = browser.post(ON, {"do": "find", "find_holder": "gre"})
    assert answer.status_code == 200
    assert "Dario Greco (dario)" in texts(answer)
    assert "Choose" not in texts(answer), "what is not filled in yet is no error"
    assert "aria-invalid" not in answer.content.decode()
    assert not AccessEvent.objects.filter(holder_id=str(dario.pk)).exists()


def test_granting_on_all_records(browser: Client, root: User, dario: User) -> None:
    answer = grant(browser, dario, reason="Joins the team.")
    assert answer.redirect_chain == [(ON, 302)]
    assert messages(answer) == ["Dario Greco is Examiner on all claims from now on."]
    assert roles_of(dario, on=Claim) == {"examiner"}
    event = AccessEvent.objects.latest("pk")
    assert (event.actor_id, event.reason) == (str(root.pk), "Joins the team.")


def test_granting_the_same_again_says_that_nothing_changed(browser: Client, dario: User) -> None:
    grant(browser, dario)
    assert "Nothing was changed" in messages(grant(browser, dario))[0]


@pytest.mark.parametrize("model", [Claim, Dossier, Plate])
def test_granting_on_one_record_until_a_time_of_the_site(
    browser: Client, dario: User, settings: Any, model: Any
) -> None:
    settings.TIME_ZONE = "Europe/Rome"
    record = model.objects.create(**({"code": "A 1"} if model is Plate else {}))
    data = {
        "do": "grant",
        "holder": f"user:{dario.pk}",
        "role": "approver",
        "scope": "one",
        "record": str(record.pk),
        "until": "2099-07-01T18:00",
    }
    answer = browser.post(f"{PAGE}?on={model._meta.label_lower}", data, follow=True)
    assert answer.redirect_chain, answer.context["form"].errors
    assert roles_of(dario, on=record) == {"approver"}
    assert roles_of(dario, on=model) == set()
    assert GrantTerm.objects.get().until.isoformat() == "2099-07-01T16:00:00+00:00"
    assert "1 Jul 2099, 18:00" in answer.content.decode()


@pytest.mark.parametrize(
    ("fields", "name", "says"),
    [
        ({"holder": ""}, "holder", "Choose who gets it"),
        ({"holder": "user:x"}, "holder", "Choose who gets it"),
        ({"holder": "user:" + "9" * 40}, "holder", "Choose who gets it"),
        ({"holder": "group:1\0"}, "holder", "Choose who gets it"),
        ({"holder": "", "find_holder": "x\0" * 400}, "holder", "Choose who gets it"),
        ({"role": "emperor"}, "role", "Select a valid choice"),
        ({"role": ""}, "role", "Choose a role"),
        ({"scope": "none"}, "scope", "Select a valid choice"),
        ({"scope": "one"}, "record", "Name the claim by its key"),
        ({"scope": "one", "record": "99999999999999999999999"}, "record", "There is no claim"),
        ({"scope": "one", "record": "x' OR 1=1"}, "record", "There is no claim"),
        ({"scope": "one", "record": "1\0"}, "record", "Null characters"),
        ({"until": "yesterday"}, "until", "This is no day and time"),
        ({"until": "2001-01-01T00:00"}, "until", "This time has passed"),
        ({"until": "0001-01-01T00:00"}, "until", "This time has passed"),
        ({"until": "9999-12-31T23:59"}, "until", "too far away"),
        ({"until": "99999-12-31T23:59"}, "until", "This is no day and time"),
        ({"reason": "x" * 201}, "reason", "at most 200"),
    ],
)
def test_what_makes_no_sense_is_said_at_its_field(
    browser: Client, dario: User, texts: Any, described: Any, fields: Any, name: str, says: str
) -> None:
    answer = grant(browser, dario, **fields)
    assert answer.status_code == 200
    assert not answer.redirect_chain
    assert says in " ".join(answer.context["form"].errors[name])
    assert says in texts(answer)
    described(answer)
    assert roles_of(dario, on=Claim) == set()


def test_who_may_not_change_the_model_gets_the_denial_on_the_page(
    client: Client, root: User, staff: Any, dario: User, texts: Any
) -> None:
    client.force_login(staff("carla", "grant_roles"))
    answer = grant(client, dario)
    assert answer.status_code == 200
    assert "You may grant roles, but not on claims that you may not change. Ask root." in texts(answer)
    assert roles_of(dario, on=Claim) == set()
    grant_role(dario, "examiner", on=Claim, by=SETUP)
    answer = client.post(ON, revoking(client, dario), follow=True)
    assert "Nothing was changed." in messages(answer)[0]
    assert roles_of(dario, on=Claim) == {"examiner"}


def revoking(browser: Client, holder: User, role: str = "examiner") -> dict[str, str]:
    held = browser.get(ON).context["held"]
    one = next(h for h in held if h.holder == holder and h.role == role)
    return {"do": "revoke", "grant": one.ref, "digest": one.digest}


def test_revoking_asks_in_place_and_then_takes_the_role(browser: Client, dario: User, texts: Any) -> None:
    grant_role(dario, "examiner", on=Claim, by=SETUP)
    data = revoking(browser, dario)
    asked = browser.get(f"{ON}&revoke={data['grant']}")
    assert "Revoke Examiner from Dario Greco?" in texts(asked)
    assert roles_of(dario, on=Claim) == {"examiner"}
    answer = browser.post(ON, {**data, "reason": "Moved to sales."}, follow=True)
    assert messages(answer) == [
        "Dario Greco is no longer Examiner on all claims. The log of access keeps both."
    ]
    assert roles_of(dario, on=Claim) == set()
    assert AccessEvent.objects.latest("pk").reason == "Moved to sales."
    assert messages(browser.post(ON, data, follow=True)) == [
        "This grant is no longer there. Nothing was changed."
    ]


@pytest.mark.parametrize("ref", ["", "a", "b.x", "z.1", "b.99999999999999999999", "\0", "d.1"])
def test_a_grant_that_is_not_there(browser: Client, ref: str) -> None:
    assert browser.get(ON, {"on": "testapp.claim", "revoke": ref, "next": ref, "end": ref}).status_code == 200
    assert browser.post(ON, {"do": "revoke", "grant": ref}).status_code == 302


def test_every_road_is_listed(browser: Client, dario: User, texts: Any) -> None:
    claim = Claim.objects.create()
    office = Group.objects.create(name="Second-level support")
    office.user_set.add(dario, User.objects.create_user("elena"))
    grant_role(office, "auditor", on=Claim, by=SETUP)
    grant_role(office, "cashier", on=claim, by=SETUP)
    grant_role(dario, "manager", on=Claim, by=SETUP, until=timezone.now() + timedelta(days=7, hours=1))
    grant_role(dario, "approver", on=claim, by=SETUP)
    dario.user_permissions.add(permission("fire_pay"))
    answer = browser.get(ON)
    shown = {(h.name, h.detail, h.role, h.object_pk) for h in answer.context["held"]}
    assert shown == {
        ("Second-level support", "group, 2 people", "auditor", ""),
        ("Second-level support", "group, 2 people", "cashier", str(claim.pk)),
        ("Dario Greco", "dario", "manager", ""),
        ("Dario Greco", "dario", "approver", str(claim.pk)),
    }
    text = texts(answer)
    assert "7 days left" in text
    assert "by System, setup" in text
    assert [(d.name, d.codename) for d in answer.context["direct"]] == [("Dario Greco", "fire_pay")]


def test_a_grant_names_record_and_person_and_links_them_for_whom_they_open(
    browser: Client, client: Client, dario: User, staff: Any, texts: Any
) -> None:
    claim = Claim.objects.create(title="Broken window")
    grant_role(dario, "approver", on=claim, by=SETUP)
    recorded = date_format(timezone.localtime(AccessEvent.objects.latest("pk").recorded_at), "j M Y")
    person = f'<a href="/admin/auth/user/{dario.pk}/change/">Dario Greco</a>'

    answer = browser.get(ON)
    [held] = answer.context["held"]
    assert held.called == str(claim)
    assert f"since {recorded} , by System, setup" in texts(answer)
    assert person in answer.content.decode()

    client.force_login(staff("carla", "grant_roles"))
    answer = client.get(ON)
    [held] = answer.context["held"]
    assert held.called == f"Claim {claim.pk}", "its name is for those who may read it"
    assert person not in answer.content.decode()


def test_an_ended_grant_is_shown_as_over(browser: Client, dario: User, texts: Any) -> None:
    grant_role(dario, "auditor", on=Claim, by=SETUP, until=timezone.now() + timedelta(days=1))
    GrantTerm.objects.update(until=timezone.now() - timedelta(seconds=1))
    [held] = browser.get(ON).context["held"]
    assert held.over
    assert held.soon is None


def test_roles_of_a_proxy_are_granted_on_it(browser: Client, dario: User) -> None:
    grant(browser, dario, role="courier")
    assert roles_of(dario, on=UrgentClaim) == {"courier"}


def test_long_lists_come_in_pages_and_can_be_searched(browser: Client, dario: User, texts: Any) -> None:
    claim = Claim.objects.create()
    for number in range(45):
        user = User.objects.create_user(f"u{number:02}")
        grant_role(user, "auditor", on=Claim if number % 2 else claim, by=SETUP)
    grant_role(dario, "auditor", on=Claim, by=SETUP)
    seen: list[str] = []
    following = ""
    for _ in range(3):
        context = browser.get(ON, {"on": "testapp.claim", "next": following}).context
        seen += [held.holder.username for held in context["held"]]
        following = context["next"]
    assert not following
    assert len(seen) == len(set(seen)) == 46
    found = browser.get(ON, {"on": "testapp.claim", "q": "dar gre"}).context["held"]
    assert [held.holder for held in found] == [dario]
    assert "No grant matches" in texts(browser.get(ON, {"on": "testapp.claim", "q": "no\0body"}))


def test_more_grants_cost_no_more_statements(browser: Client, root: User) -> None:
    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as made:
            assert browser.get(ON).status_code == 200
        return len(made)

    claim = Claim.objects.create()
    office = Group.objects.create(name="Office")
    grant_role(office, "auditor", on=Claim, by=SETUP)
    first = User.objects.create_user("first")
    grant_role(first, "auditor", on=Claim, by=SETUP)
    grant_role(first, "auditor", on=claim, by=SETUP)
    first.user_permissions.add(permission("fire_pay"))
    delegate(first, root, "auditor", timezone.now() + timedelta(days=1), by=SETUP)
    browser.get(ON)
    few = cost()
    for number in range(60):
        user = User.objects.create_user(f"u{number}")
        grant_role(user, "auditor", on=Claim if number < 5 else claim, by=SETUP)
        user.user_permissions.add(permission("fire_pay"))
        delegate(user, root, "auditor", timezone.now() + timedelta(days=1), by=SETUP)
    assert cost() <= few


def test_letting_someone_act_and_ending_it(browser: Client, dario: User, texts: Any) -> None:
    elena = User.objects.create_user("elena")
    grant_role(elena, "approver", on=Claim, by=SETUP)
    url = f"{PAGE}delegate/?on=testapp.claim"
    found = browser.post(url, {"do": "find", "find_giver": "ele", "find_stand_in": "dario"})
    assert "Dario Greco (dario)" in texts(found)
    data = {
        "do": "delegate",
        "giver": f"user:{elena.pk}",
        "stand_in": f"user:{dario.pk}",
        "role": "approver",
        "until": "2099-01-01T00:00",
        "reason": "On leave.",
    }
    answer = browser.post(url, data, follow=True)
    assert "Dario Greco acts for elena until 1 Jan 2099, 00:00." in messages(answer)[0]
    assert roles_of(dario, on=Claim) == {"approver"}
    made = Delegation.objects.get()
    asked = browser.get(f"{ON}&end={made.pk}")
    assert "End this delegation?" in texts(asked)
    answer = browser.post(ON, {"do": "end", "delegation": str(made.pk)}, follow=True)
    assert messages(answer) == ["Dario Greco no longer acts for elena."]
    assert not Delegation.objects.exists()
    assert "End of Dario Greco acting for elena as Approver" in texts(answer)
    again = browser.post(ON, {"do": "end", "delegation": str(made.pk)}, follow=True)
    assert "ended already" in messages(again)[0]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"giver": "group:1"}, "giver"),
        ({"stand_in": ""}, "stand_in"),
        ({"until": ""}, "until"),
        ({"until": "x"}, "until"),
        ({"role": "emperor"}, "role"),
        ({"reason": "x" * 201}, "reason"),
        ({"stand_in": "same"}, "__all__"),
    ],
)
def test_a_delegation_that_makes_no_sense(
    browser: Client, root: User, dario: User, texts: Any, described: Any, fields: Any, name: str
) -> None:
    if fields.get("stand_in") == "same":
        fields = {"stand_in": f"user:{root.pk}"}
    data = {
        "do": "delegate",
        "giver": f"user:{root.pk}",
        "stand_in": f"user:{dario.pk}",
        "until": "2099-01-01T00:00",
        **fields,
    }
    answer = browser.post(f"{PAGE}delegate/", data)
    assert answer.status_code == 200
    for message in answer.context["form"].errors[name]:
        assert message in texts(answer)
    described(answer)
    assert not Delegation.objects.exists()


def test_names_are_text_and_no_markup(browser: Client) -> None:
    evil = User.objects.create_user("evil", first_name="<script>alert(1)</script>")
    grant_role(evil, "auditor", on=Claim, by=System("<i>x</i>"), reason="<b>bold</b>")
    for page in (ON, f"{PAGE}events/", f"{ON}&q=<script>"):
        content = browser.get(page).content.decode()
        assert "<script>alert" not in content
        assert "<b>bold" not in content
        assert " style=" not in content.partition('<div class="lc-page">')[2].partition("</main>")[0]


def test_access_events_have_a_page_of_their_own(browser: Client, dario: User, texts: Any) -> None:
    claim = Claim.objects.create()
    grant_role(dario, "approver", on=claim, by=SETUP)
    claim_pk = claim.pk
    claim.delete()
    text = texts(browser.get(f"{PAGE}events/"))
    assert f"System: setup granted Approver on claim {claim_pk} to Dario Greco" in text
    assert f"revoked Approver on claim {claim_pk} from Dario Greco" in text


@pytest.mark.parametrize("path", ["", "events/", "delegate/"])
def test_who_may_see_it(client: Client, staff: Any, path: str) -> None:
    assert client.get(PAGE + path).headers["Location"].startswith("/admin/login/")
    client.force_login(staff("nobody"))
    assert client.get(PAGE + path).status_code == 403
    assert client.post(PAGE + path, {"do": "grant"}).status_code == 403
    client.force_login(staff("carla", "grant_roles"))
    assert client.get(PAGE + path).status_code == 200


def test_a_post_needs_the_token(root: User, dario: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(root)
    assert grant(strict, dario).status_code == 403
    assert roles_of(dario, on=Claim) == set()


@pytest.mark.parametrize("on", ["", "x", "auth.user", "\0", "testapp.duty", "TESTAPP.CLAIM"])
def test_any_lifecycle_may_be_asked_for(browser: Client, on: str) -> None:
    assert browser.get(PAGE, {"on": on}).status_code == 200
    assert browser.post(f"{PAGE}?on=testapp.duty", {"do": "grant", "role": "x"}).status_code == 200


def test_groups_that_gain_and_lose_people_are_told_in_words(browser: Client, dario: User, texts: Any) -> None:
    office = Group.objects.create(name="Second-level support")
    dario.groups.add(office)
    dario.groups.remove(office)
    grant_role(office, "auditor", on=Claim, by=SETUP)
    dario.groups.add(office)
    text = texts(browser.get(f"{PAGE}events/"))
    assert "added Dario Greco to the group Second-level support" in text
    assert "took Dario Greco from the group Second-level support" in text
    assert "granted Auditor on all claims to Second-level support" in text
    assert (
        "granted Auditor on all claims to Dario Greco no end through the group Second-level support" in text
    )
