"""What a model's class gets when it is prepared, and what a host's own `class Meta` keeps."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, models
from django.db.migrations.state import ModelState

from fsm_lifecycle import State, registry
from fsm_lifecycle.exceptions import DirectStateChange
from fsm_lifecycle.models import LifecycleModel
from tests.checks.asking import sound_members
from tests.definition.declaring import declare, lifecycle
from tests.testapp.models import DisputedInvoice, Document, Door, Invoice, Report

OWN = {"state", "state_since", "lifecycle_sequence", "lifecycle_head"}


def field_names(model: type[models.Model]) -> set[str]:
    return {field.name for field in model._meta.concrete_fields}


def test_a_model_gets_its_columns_and_no_others() -> None:
    plain = declare(lifecycle(**sound_members()))
    assert field_names(plain) == {"id"} | OWN


def test_an_index_on_state_and_time_is_added() -> None:
    (index,) = declare(lifecycle(**sound_members()))._meta.indexes
    assert index.fields == ["state", "state_since"]


def test_the_index_follows_a_renamed_column() -> None:
    (index,) = Door._meta.indexes
    assert index.fields == ["position", "state_since"]


def host(**meta: Any) -> type[LifecycleModel]:
    """A model with a `class Meta` of its own."""
    return declare(
        lifecycle(**sound_members()),
        meta=meta,
        code=models.CharField(max_length=9),
        size=models.IntegerField(default=0),
    )


def test_indexes_of_the_host_stay() -> None:
    mine = models.Index(fields=["code"], name="mine")
    found = host(indexes=[mine])._meta.indexes
    assert found[0].name == "mine"
    assert [index.fields for index in found] == [["code"], ["state", "state_since"]]


def test_constraints_of_the_host_stay() -> None:
    mine = models.UniqueConstraint(fields=["code"], name="mine")
    assert host(constraints=[mine])._meta.constraints == [mine]


def test_ordering_and_the_rest_of_the_host_stay() -> None:
    meta = host(
        ordering=("-code",),
        verbose_name="widget",
        db_table="widgets",
        get_latest_by="code",
        permissions=[("see", "May see")],
        unique_together={("code", "size")},
        default_manager_name="objects",
    )._meta
    assert meta.ordering == ("-code",)
    assert (meta.verbose_name, meta.db_table, meta.get_latest_by) == ("widget", "widgets", "code")
    assert meta.permissions == [("see", "May see")]
    assert set(meta.unique_together) == {("code", "size")}


def test_an_index_of_the_host_may_name_the_state() -> None:
    mine = models.Index(fields=["code", "state"], name="mine")
    model = host(indexes=[mine])
    assert [m.id for m in model.check() if m.id and m.id.startswith("models.")] == []


def test_an_index_of_the_host_may_name_the_state_and_leave_its_own_name_to_django() -> None:
    model = host(indexes=[models.Index(fields=["state", "-code"])])
    assert [index.fields for index in model._meta.indexes] == [["state", "-code"], ["state", "state_since"]]
    written = ModelState.from_model(model).options["indexes"]
    assert len({index.name for index in written}) == 2
    assert [m.id for m in model.check() if m.id and m.id.startswith("models.")] == []


def test_an_unnamed_index_of_an_abstract_base_may_name_the_state() -> None:
    class Base(LifecycleModel):
        class Meta:
            abstract = True
            app_label = "testapp"
            indexes = (models.Index(fields=["state"]),)

    for name in ("First", "Second"):
        model = declare(lifecycle(**sound_members()), Base, name=name, meta={"indexes": Base.Meta.indexes})
        assert [index.fields for index in model._meta.indexes] == [["state"], ["state", "state_since"]]


def test_an_index_that_the_host_declares_just_as_ours_is_there_once() -> None:
    model = host(indexes=[models.Index(fields=["state", "state_since"])])
    assert [index.fields for index in model._meta.indexes] == [["state", "state_since"]]


def test_an_ordering_of_the_host_may_name_the_state() -> None:
    model = host(ordering=["state", "-state_since"])
    assert [m.id for m in model.check() if m.id and m.id.startswith("models.")] == []


def test_two_models_that_inherit_one_list_of_indexes_do_not_share_it() -> None:
    indexes = [models.Index(fields=["code"], name="%(class)s_code")]
    first, second = host(indexes=indexes), host(indexes=indexes)
    assert len(indexes) == 1
    assert len(first._meta.indexes) == len(second._meta.indexes) == 2


def test_indexes_of_an_abstract_base_stay() -> None:
    class Base(LifecycleModel):
        code = models.CharField(max_length=9)

        class Meta:
            abstract = True
            app_label = "testapp"
            indexes = (models.Index(fields=["code"], name="%(class)s_code"),)

    kept = declare(lifecycle(**sound_members()), Base, name="Kept", meta={"indexes": Base.Meta.indexes})
    lost = declare(lifecycle(**sound_members()), Base, name="Lost")
    for model in (kept, lost):
        assert ["state", "state_since"] in [index.fields for index in model._meta.indexes]
    assert kept._meta.indexes[0].name == "kept_code"


@pytest.mark.django_db
def test_the_database_has_what_the_class_says() -> None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Invoice._meta.db_table)
    columns = [index["columns"] for index in found.values() if index["index"]]
    assert ["state", "state_since"] in columns
    assert ["client_name"] in columns


def test_a_child_with_a_table_of_its_own_adds_no_index() -> None:
    assert Report._meta.indexes == []
    assert len(Document._meta.indexes) == 1


# --- generated names -------------------------------------------------------------------------------------------------


def test_each_event_is_a_method_and_each_state_a_question() -> None:
    for event in Invoice.lifecycle.events:
        assert callable(getattr(Invoice, event))
        assert callable(getattr(Invoice, f"can_{event}"))
    for state in Invoice.lifecycle.states.values():
        assert isinstance(vars(Invoice)[f"is_{state.name}"], property)


def test_a_question_is_named_after_the_attribute_and_not_the_value() -> None:
    model = declare(lifecycle(not_sent=State("draft", initial=True, terminal=True)))
    record: Any = model()
    assert record.is_not_sent
    assert not hasattr(model, "is_draft")


def test_a_method_says_what_it_does() -> None:
    pay, can_pay = vars(Invoice)["pay"], vars(Invoice)["can_pay"]
    assert pay.__doc__ == "Fire “Pay”. Returns the log entry."
    assert pay.__name__ == "pay"
    assert can_pay.__doc__ == "Whether “pay” may be fired now."


def test_a_child_has_methods_of_its_own() -> None:
    ours, theirs = vars(DisputedInvoice), vars(Invoice)
    assert callable(ours["dispute"])
    assert callable(ours["pay"])
    assert ours["send_invoice"] is not theirs["send_invoice"]


# --- the state field -------------------------------------------------------------------------------------------------


def test_a_new_record_is_in_its_initial_state_before_it_is_saved() -> None:
    invoice = Invoice()
    assert invoice.state == "draft"
    assert invoice.is_draft


@pytest.mark.django_db
def test_the_choices_are_the_labels() -> None:
    record: Any = Invoice.objects.create()
    assert record.get_state_display() == "Draft"
    assert ("overdue", "Overdue") in list(Invoice._lifecycle.field.choices or [])


def test_only_its_own_state_can_be_assigned() -> None:
    invoice = Invoice()
    invoice.state = "draft"
    with pytest.raises(DirectStateChange):
        invoice.state = "paid"
    assert invoice.state == "draft"


# --- the registry ----------------------------------------------------------------------------------------------------


def test_the_registry_finds_every_concrete_model_once() -> None:
    found = registry.lifecycles()
    assert Invoice in found
    assert Report in found
    assert DisputedInvoice not in found
    assert len(found) == len(set(found))


def test_the_registry_knows_a_model_by_its_label() -> None:
    assert registry.get("testapp.invoice") is Invoice
    assert registry.get("testapp.Invoice") is Invoice
    assert registry.get("testapp.disputedinvoice") is DisputedInvoice


@pytest.mark.parametrize("label", ["auth.user", "testapp.nothing", "nowhere.x", "nonsense", ""])
def test_the_registry_names_those_there_are(label: str) -> None:
    with pytest.raises(LookupError, match=r"has a lifecycle\. Those that have one: .*testapp\.invoice"):
        registry.get(label)
