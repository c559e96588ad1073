"""How the generated tests make what a new model references."""

from __future__ import annotations

import pytest

from fsm_lifecycle.generator import samples

pytestmark = [pytest.mark.once, pytest.mark.pure]


def test_what_has_to_be_there_is_given_and_nothing_else() -> None:
    (code,), uses = samples.makers(["billing.Contract"])
    assert code == (
        "def make_billing_contract() -> Any:\n"
        '    """A billing.Contract that is as plain as can be."""\n'
        "    n = next(numbers)\n"
        '    return apps.get_model("billing.Contract")._default_manager.create(\n'
        "        client_name=str(n),\n"
        "    )\n"
    )
    assert uses == {"apps"}


def test_what_that_needs_is_made_as_well_and_once() -> None:
    made, uses = samples.makers(["auth.Permission", "guardian.GroupObjectPermission", "auth.Group"])
    names = [code.partition("(")[0].removeprefix("def ") for code in made]
    assert sorted(names) == [
        "make_auth_group",
        "make_auth_permission",
        "make_contenttypes_contenttype",
        "make_guardian_groupobjectpermission",
    ]
    assert "content_type=make_contenttypes_contenttype()" in "".join(made)
    assert uses == {"apps"}


def test_what_cannot_be_told_is_left_to_its_author(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_VALUES", ())
    (code,), uses = samples.makers(["billing.Contract"])
    assert 'raise SkipTest("Say here how a billing.Contract is made.")' in code
    assert uses == {"SkipTest"}
