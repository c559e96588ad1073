"""Names of those who did something, also where the log says what no user can be called by."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from fsm_lifecycle.models import TransitionLog
from fsm_lifecycle.presentation.people import names_of

pytestmark = [pytest.mark.once, pytest.mark.django_db]


def test_keys_that_no_user_can_have_have_no_name() -> None:
    ada = User.objects.create_user("ada", first_name="Ada", last_name="Ås")
    nameless = User.objects.create_user("bo")
    keys = [str(ada.pk), str(nameless.pk), "9" * 30, "-1", "x", "1\0", ""]
    entries = [TransitionLog(actor_kind="user", actor_id=key) for key in keys]
    assert names_of(entries) == {str(ada.pk): "Ada Ås"}
    assert names_of([TransitionLog(actor_kind="system", actor_id=str(ada.pk))]) == {}
