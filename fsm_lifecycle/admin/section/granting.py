"""Owns the forms that give roles: a grant, and a delegation. Both find people by name first.

Must not evaluate who may grant: ``fsm_lifecycle.access`` does, when it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.forms.utils import ErrorDict
from django.utils import timezone

from fsm_lifecycle.access.visibility import visible, who_can
from fsm_lifecycle.admin.section import search
from fsm_lifecycle.admin.section.search import Offer
from fsm_lifecycle.admin.section.seen import key_of
from fsm_lifecycle.definition import CRUD, Role


class Looking(forms.CharField):
    """What somebody is looked for by. Nothing is wrong here: it finds somebody, or nobody."""

    def __init__(self) -> None:
        super().__init__(required=False)

    def clean(self, value: Any) -> str:
        return str(value or "").replace("\0", "").strip()[:150]


class Unjudged(forms.Form):
    """A form that can be shown as it was typed before anything in it is judged."""

    def leave_unjudged(self) -> None:
        """Show what was typed, and no errors."""
        self._errors = ErrorDict()
        self.cleaned_data: dict[str, Any] = {}


class Choosing(Unjudged):
    """A form in which somebody is looked for by name and then chosen."""

    def __init__(self, *args: Any, using: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.using = using

    def offers(self, name: str, *, groups: bool) -> tuple[list[Offer], bool]:
        """Who may be meant by what was looked for under ``find_<name>``, and whether there are more."""
        text = (self.data.get(f"find_{name}") or "").strip()[:150] if self.is_bound else ""
        found, more = search.find(text, self.using, groups=groups) if text else ([], False)
        taken = self.data.get(name, "") if self.is_bound else ""
        if taken and taken not in {one.value for one in found}:
            holder = search.chosen(taken, self.using, groups=groups)
            if holder is not None:
                found = [search.offer(holder), *found]
        return found, more

    def take(self, name: str, *, groups: bool, nobody: str) -> Any:
        """The user or group that was chosen."""
        value = self.cleaned_data.get(name) or ""
        holder = search.chosen(value, self.using, groups=groups)
        if holder is None:
            raise ValidationError({name: nobody})
        return holder

    def clean_until(self) -> datetime | None:
        until: datetime | None = self.cleaned_data.get("until")
        if until is None:
            return None
        if until.year > 9000:
            raise ValidationError("That is too far away. Leave it empty for a grant without end.")
        if until <= timezone.now():
            raise ValidationError("This time has passed. Give one to come.")
        return until


class Until(forms.DateTimeField):
    """A day and time in the site's time zone."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(
            widget=widget,
            error_messages={"invalid": "This is no day and time. Write it like 2026-11-27 18:00."},
            **kwargs,
        )

    def to_python(self, value: Any) -> datetime | None:
        try:
            return super().to_python(value)
        except (OverflowError, ValueError) as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error


class GrantForm(Choosing):
    """Who gets which role, on what, until when."""

    find_holder = Looking()
    holder = forms.CharField(max_length=255, required=False)
    role = forms.ChoiceField(error_messages={"required": "Choose a role."})
    scope = forms.ChoiceField(choices=[("all", "all"), ("one", "one")], initial="all")
    record = forms.CharField(max_length=255, required=False)
    until = Until(required=False)
    reason = forms.CharField(max_length=200, required=False)

    def __init__(
        self,
        *args: Any,
        roles: Mapping[str, tuple[type[Model], Role]],
        user: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.roles = roles
        self.user = user
        self.fields["role"].choices = [(value, str(role.label)) for value, (_, role) in roles.items()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        cleaned["holder"] = self.take(
            "holder", groups=True, nobody="Choose who gets it: write a part of the name and find it."
        )
        if "role" in cleaned:
            cleaned["on"] = self._subject(cleaned)
        return cleaned

    def _subject(self, cleaned: dict[str, Any]) -> Any:
        model = self.roles[cleaned["role"]][0]
        if cleaned.get("scope") != "one":
            return model
        kind, text = model._meta.verbose_name, cleaned.get("record") or ""
        if not text:
            raise ValidationError({"record": f"Name the {kind} by its key."})
        record = record_by_key(model, text, self.user)
        if record is None:
            raise ValidationError({"record": f"There is no {kind} {text} that you may see."})
        return record


class DelegationForm(Choosing):
    """Who acts for whom, in which role, until when, and why."""

    find_giver = Looking()
    giver = forms.CharField(max_length=255, required=False)
    find_stand_in = Looking()
    stand_in = forms.CharField(max_length=255, required=False)
    role = forms.ChoiceField(required=False)
    until = Until()
    reason = forms.CharField(max_length=200, required=False)

    def __init__(self, *args: Any, roles: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [("", "All roles"), *roles.items()]  # type: ignore[attr-defined]
        self.fields["until"].error_messages["required"] = "A delegation ends. Say when."

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name, nobody in (
            ("giver", "Choose whose roles they are: write a part of the name and find it."),
            ("stand_in", "Choose who acts: write a part of the name and find it."),
        ):
            try:
                cleaned[name] = self.take(name, groups=False, nobody=nobody)
            except ValidationError as error:
                self.add_error(None, error)
        return cleaned


def record_by_key(model: type[Model], text: str, user: Any) -> Any:
    """The record with a key, as people write it; ``None`` where there is none that the user may read."""
    key = key_of(model, text, exact=False)
    if key is None:
        return None
    rows: QuerySet[Any] = QuerySet(model)
    return visible(rows.filter(pk=key), user).first()


def whom_to_ask(on: Any) -> str:
    """Who may grant roles here, as a sentence for who may not; empty where that is not known."""
    users: Any = get_user_model()._default_manager
    try:
        grants = users.with_perm(
            "fsm_lifecycle.grant_roles", backend="django.contrib.auth.backends.ModelBackend"
        )
    except (AttributeError, ValueError):  # the host's users have no such manager
        return ""
    able = who_can(CRUD.UPDATE, on=on).filter(pk__in=grants.values("pk")).order_by("pk")[:2]
    names = [search.name_of(user) for user in able]
    return f"Ask {' or '.join(names)}." if names else ""
