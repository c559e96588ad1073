"""What guardian's own backend answers wrongly, dearly or not at all, and ours does not.

Each fact is checked twice: it holds as the settings are, and it does not hold with the plain backends. A fact that
begins to hold there is no reason for ours any more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group, Permission, User
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import RequestFactory, override_settings
from django.utils import timezone
from guardian.shortcuts import assign_perm, get_objects_for_user

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import LifecycleBackend, delegate, grant_role
from fsm_lifecycle.middleware import ActorMiddleware
from tests.access.roads.moments import run_out
from tests.access.roads.stored import again, permission
from tests.acting import statements
from tests.testapp.offices import Binder, Claim, Dossier, Duty, UrgentClaim

pytestmark = [pytest.mark.once, pytest.mark.django_db]

SYSTEM = System("tests")
PLAIN = ["django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend"]

Fact = Callable[[User, Group], None]
FACTS: dict[str, Fact] = {}


def fact(function: Fact) -> Fact:
    FACTS[function.__name__] = function
    return function


def new_claim() -> Claim:
    with acting_as(SYSTEM):
        return Claim.objects.create()


@fact
def a_role_on_a_record_means_its_events(ada: User, finance: Group) -> None:
    claim = new_claim()
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    assert again(ada).has_perm("testapp.fire_approve", claim)


@fact
def a_role_on_a_record_means_its_crud(ada: User, finance: Group) -> None:
    claim = new_claim()
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    assert again(ada).has_perm("testapp.view_claim", claim)


@fact
def a_role_for_all_records_means_its_events_on_each(ada: User, finance: Group) -> None:
    grant_role(ada, "approver", on=Claim, by=SYSTEM)
    assert again(ada).has_perm("testapp.fire_approve", new_claim())


@fact
def a_role_for_all_records_means_its_events_without_a_record(ada: User, finance: Group) -> None:
    grant_role(ada, "manager", on=Claim, by=SYSTEM)
    assert again(ada).has_perms(["testapp.fire_approve", "testapp.add_claim"])


@fact
def a_permission_of_a_user_counts_for_a_record(ada: User, finance: Group) -> None:
    ada.user_permissions.add(permission("view_claim"))
    assert again(ada).has_perm("testapp.view_claim", new_claim())


@fact
def a_permission_of_a_group_counts_for_a_record(ada: User, finance: Group) -> None:
    ada.groups.add(finance)
    finance.permissions.add(permission("fire_approve"))
    assert again(ada).has_perm("testapp.fire_approve", new_claim())


@fact
def what_has_ended_counts_no_more_on_a_record(ada: User, finance: Group) -> None:
    claim = new_claim()
    run_out(ada, "approver", claim)
    assert not again(ada).has_perm("testapp.role_approver", claim)


@fact
def what_has_ended_counts_no_more_for_a_group(ada: User, finance: Group) -> None:
    ada.groups.add(finance)
    claim = new_claim()
    run_out(finance, "approver", claim)
    assert not again(ada).has_perm("testapp.role_approver", claim)


@fact
def what_has_ended_counts_no_more_for_all_records(ada: User, finance: Group) -> None:
    run_out(ada, "approver", Claim)
    assert not again(ada).has_perm("testapp.role_approver")


@fact
def a_user_may_be_asked_in_a_task(ada: User, finance: Group) -> None:
    claim = new_claim()
    assign_perm("role_approver", ada, claim)
    assert async_to_sync(again(ada).ahas_perm)("testapp.role_approver", claim)


@fact
def a_right_of_the_concrete_record_holds_through_the_proxy(ada: User, finance: Group) -> None:
    claim = new_claim()
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    assert again(ada).has_perm("testapp.fire_approve", UrgentClaim.objects.get(pk=claim.pk))


@fact
def an_event_of_the_proxy_alone(ada: User, finance: Group) -> None:
    with acting_as(SYSTEM):
        urgent = UrgentClaim.objects.create()
    grant_role(ada, "courier", on=urgent, by=SYSTEM)
    assert again(ada).has_perm("testapp.fire_hurry", urgent)


@fact
def a_table_without_roles_lets_every_user_act(ada: User, finance: Group) -> None:
    duty = Duty.objects.create()
    assert again(ada).has_perm("testapp.fire_do", duty)
    assert again(ada).has_perm("testapp.change_duty", duty)
    assert again(ada).has_perm("testapp.add_duty")


@fact
def a_delegate_has_the_right(ada: User, finance: Group) -> None:
    bob = User.objects.create(username="bob")
    claim = new_claim()
    assign_perm("role_approver", ada, claim)
    delegate(ada, bob, until=timezone.now() + timedelta(days=1), by=SYSTEM)
    assert again(bob).has_perm("testapp.role_approver", claim)


@fact
def templates_are_right(ada: User, finance: Group) -> None:
    """``perms`` knows no record; for all of them it answers as the resolver does."""
    grant_role(ada, "examiner", on=Claim, by=SYSTEM)
    from django.contrib.auth.context_processors import PermWrapper

    text = Template("{{ perms.testapp.role_cashier }} {{ perms.testapp.fire_examine }}")
    assert text.render(Context({"perms": PermWrapper(again(ada))})) == "False True"


@fact
def direct_foreign_keys_expand_too(ada: User, finance: Group) -> None:
    with acting_as(SYSTEM):
        binder = Binder.objects.create()
    grant_role(ada, "clerk", on=binder, by=SYSTEM)
    assert again(ada).has_perm("testapp.fire_close", binder)
    assert not again(ada).has_perm("testapp.fire_reopen", binder)


@pytest.mark.parametrize("name", FACTS)
def test_it_holds_with_ours(ada: User, finance: Group, name: str) -> None:
    FACTS[name](ada, finance)


@pytest.mark.parametrize("name", FACTS)
def test_it_does_not_hold_with_the_plain_backends(ada: User, finance: Group, name: str) -> None:
    with (
        override_settings(AUTHENTICATION_BACKENDS=PLAIN),
        pytest.raises((AssertionError, Permission.DoesNotExist)),
    ):
        FACTS[name](ada, finance)


# --- what it costs ------------------------------------------------------------------------------------------------
# In a request every answer is kept; outside, each question about a record of a page is answered once.

Cost = Callable[[User, list[Claim]], None]
COSTS: dict[str, Cost] = {}


def cost(function: Cost) -> Cost:
    COSTS[function.__name__] = function
    return function


@cost
def fifty_records_cost_two_queries(ada: User, page: list[Claim]) -> None:
    with statements() as sent:
        found = [ada.has_perm("testapp.role_approver", claim) for claim in page]
    assert sum(found) == 25
    assert len(sent) <= 2, len(sent)


@cost
def fifty_records_with_all_their_events_cost_two_queries(ada: User, page: list[Claim]) -> None:
    with statements() as sent:
        for claim in page:
            for event in Claim.lifecycle.events:
                ada.has_perm(f"testapp.fire_{event}", claim)
    assert len(sent) <= 2, len(sent)


@cost
def asking_again_costs_nothing(ada: User, page: list[Claim]) -> None:
    assert ada.has_perm("testapp.role_approver", page[0])
    with statements() as sent:
        assert ada.has_perm("testapp.role_approver", page[0])
    assert sent == []


@cost
def a_denial_costs_no_more_than_an_answer(ada: User, page: list[Claim]) -> None:
    """The later backends are not asked."""
    with statements() as sent:
        assert not ada.has_perm("testapp.role_approver", page[1])
        assert not ada.has_perm("testapp.role_auditor", page[1])
    assert len(sent) <= 2, len(sent)


def fifty_claims(ada: User) -> None:
    ada.groups.add(Group.objects.create(name="Finance"))
    with acting_as(SYSTEM):
        claims = Claim.objects.bulk_create([Claim() for _ in range(50)])
    for claim in claims[::2]:
        assign_perm("role_approver", ada, claim)


def assert_cost(ada: User, name: str) -> None:
    # Which content type a permission has is looked up once for all.
    again(ada).has_perm("testapp.role_approver", Claim.objects.all()[30])
    COSTS[name](again(ada), list(Claim.objects.order_by("pk")))


def assert_cost_of_request(rf: RequestFactory, name: str) -> None:
    ada = User.objects.create(username="ada")
    fifty_claims(ada)

    def view(request: HttpRequest) -> HttpResponse:
        assert_cost(ada, name)
        return HttpResponse()

    request = rf.get("/")
    request.user = ada
    assert ActorMiddleware(view)(request).status_code == 200  # type: ignore[union-attr]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", COSTS)
def test_it_costs_so_little_in_a_request(rf: RequestFactory, name: str) -> None:
    assert_cost_of_request(rf, name)


@pytest.mark.parametrize("name", [name for name in COSTS if name.startswith("fifty")])
def test_it_costs_so_little_outside_a_request(ada: User, name: str) -> None:
    fifty_claims(ada)
    assert_cost(ada, name)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", COSTS)
def test_it_costs_more_with_the_plain_backends(rf: RequestFactory, name: str) -> None:
    with override_settings(AUTHENTICATION_BACKENDS=PLAIN), pytest.raises(AssertionError):
        assert_cost_of_request(rf, name)


# --- facts about guardian's own functions -------------------------------------------------------------------------


def test_guardian_asks_two_queries_for_each_record(ada: User) -> None:
    with acting_as(SYSTEM):
        Claim.objects.bulk_create([Claim() for _ in range(10)])
    page = list(Claim.objects.all())
    with override_settings(AUTHENTICATION_BACKENDS=PLAIN):
        ada.has_perm("testapp.role_approver", page[0])
        with statements() as sent:
            for claim in page:
                ada.has_perm("testapp.role_approver", claim)
        assert len(sent) >= 20


def test_guardian_cannot_assign_what_a_proxy_declares(ada: User) -> None:
    """It takes a proxy for its concrete model, whose permissions have Django's other names."""
    with acting_as(SYSTEM):
        urgent = UrgentClaim.objects.create()
    with pytest.raises(Permission.DoesNotExist):
        assign_perm("change_urgentclaim", ada, urgent)


def test_guardians_listing_answers_for_roles_alone(ada: User) -> None:
    with acting_as(SYSTEM):
        claim, _ = Claim.objects.create(), Claim.objects.create()
    grant_role(ada, "approver", on=claim, by=SYSTEM)
    # Without the app's label: guardian looks for the one model that has a codename, and several may.
    assert list(get_objects_for_user(ada, "role_approver", Claim)) == [claim]
    assert list(get_objects_for_user(ada, "fire_examine", Claim)) == []
    assert list(get_objects_for_user(ada, "view_claim", Claim)) == []
    assert list(Claim.objects.visible_to(again(ada))) == [claim]


def test_ours_leaves_other_permissions_to_the_others(ada: User, finance: Group) -> None:
    """Models without a lifecycle, and permissions that are none of ours, are Django's and guardian's as before."""
    assert not again(ada).has_perm("auth.change_group")
    ada.user_permissions.add(Permission.objects.get(codename="change_group"))
    assert again(ada).has_perm("auth.change_group")
    assign_perm("view_group", ada, finance)
    assert again(ada).has_perm("auth.view_group", finance)
    assert not again(ada).has_perm("auth.delete_group", finance)


def test_ours_leaves_the_hosts_own_permissions_of_a_lifecycle_model_alone(ada: User) -> None:
    from django.contrib.contenttypes.models import ContentType

    claim = new_claim()
    Permission.objects.create(
        content_type=ContentType.objects.get_for_model(Claim), codename="print_claim", name="Print"
    )
    assert not again(ada).has_perm("testapp.print_claim", claim)
    assign_perm("print_claim", ada, claim)
    assert again(ada).has_perm("testapp.print_claim", claim)


def test_an_unknown_event_is_nobodys_permission(ada: User) -> None:
    claim = new_claim()
    grant_role(ada, "manager", on=claim, by=SYSTEM)
    assert not again(ada).has_perm("testapp.fire_nonsense", claim)
    assert not again(ada).has_perm("testapp.fire_", claim)
    assert not again(ada).has_perm("testapp.role_nonsense")


def test_a_permission_of_another_model_is_not_this_ones(ada: User) -> None:
    """``fire_approve`` exists for three models."""
    claim = new_claim()
    assign_perm("fire_approve", ada, claim)
    with acting_as(SYSTEM):
        dossier = Dossier.objects.create()
    assert again(ada).has_perm("testapp.fire_approve", claim)
    assert not again(ada).has_perm("testapp.fire_approve", dossier)


def test_a_model_wide_permission_of_another_model_is_not_this_ones(ada: User) -> None:
    ada.user_permissions.add(permission("fire_approve", Dossier))
    assert not again(ada).has_perm("testapp.fire_approve", new_claim())
    with acting_as(SYSTEM):
        assert again(ada).has_perm("testapp.fire_approve", Dossier.objects.create())


def test_the_settings_have_ours_first() -> None:
    from django.conf import settings

    assert ["fsm_lifecycle.access.LifecycleBackend", *PLAIN] == settings.AUTHENTICATION_BACKENDS
    assert issubclass(LifecycleBackend, object)
