"""Making, judging and changing endpoints, for every surface. Must not know how they are shown.

A surface asks for the permission ``fsm_lifecycle.manage_webhooks``; here is what holds beyond it.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle import encryption
from fsm_lifecycle.access.visibility import visible
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.transactions import writing
from fsm_lifecycle.webhooks import filters, signing
from fsm_lifecycle.webhooks.addresses import UrlRefused, place_of
from fsm_lifecycle.webhooks.endpoint import OVERLAP, WebhookEndpoint
from fsm_lifecycle.webhooks.owners import model_of, records

#: What people may set.
EDITABLE = ("url", "events", "model_label", "object_pk", "payload", "active", "owner", "description")


def create_endpoint(by: Any, *, using: str = "default", **fields: Any) -> WebhookEndpoint:
    """Make an endpoint in the name of a user and return it; ``new_secret`` has its secret, this once.

    ``fields``: any of ``EDITABLE``; without ``owner`` it is ``by``'s own. Raises ``ValidationError``, by field.
    """
    endpoint = WebhookEndpoint(**{"owner": by, **fields})
    endpoint._state.db = using
    validate_endpoint(endpoint, by)
    endpoint.save(using=using)
    return endpoint


def validate_endpoint(endpoint: WebhookEndpoint, by: Any) -> None:
    """Raise ``ValidationError``, by field, unless a user may have this endpoint as it stands, saved or not.

    The key of its record is put as entries write it.
    """
    errors: dict[str, list[str]] = {}
    try:
        place_of(endpoint.url)
    except UrlRefused as error:
        errors["url"] = [str(error)]
    events = filters.listed(endpoint.events)
    if wrong := (filters.defects(events) if events else ["Name at least one event; * stands for all."]):
        errors["events"] = wrong
    if endpoint.payload not in (WebhookEndpoint.THIN, WebhookEndpoint.FULL):
        errors["payload"] = ["Choose thin or full."]
    if len(endpoint.description) > 255:
        errors["description"] = ["At most 255 characters."]
    _owner(endpoint, by, errors)
    _record(endpoint, errors)
    if not endpoint.secret:
        try:
            encryption.usable()
        except encryption.UnusableKeys as error:
            errors["__all__"] = [str(error)]
    if errors:
        raise ValidationError(errors)


def _owner(endpoint: WebhookEndpoint, by: Any, errors: dict[str, list[str]]) -> None:
    if getattr(by, "is_superuser", False):
        return
    if endpoint.owner_id is None:
        errors["owner"] = [
            "Only superusers may have endpoints without an owner: they are told of every record."
        ]
    elif endpoint.owner_id != getattr(by, "pk", None):
        errors["owner"] = ["Only superusers may have endpoints for somebody else."]


def _record(endpoint: WebhookEndpoint, errors: dict[str, list[str]]) -> None:
    if not endpoint.model_label:
        if endpoint.object_pk:
            errors["model_label"] = ["Say which model the record is of."]
        return
    model = model_of(endpoint.model_label)
    if model is None:
        errors["model_label"] = [f"No model with a lifecycle is called “{endpoint.model_label}”."]
    elif endpoint.object_pk:
        found = records(model, [endpoint.object_pk], endpoint._state.db or "default")
        if endpoint.owner is not None:
            found = visible(found, endpoint.owner)
        key = found.order_by().values_list("pk", flat=True).first()
        if key is None:
            errors["object_pk"] = [f"There is no {model._meta.verbose_name} with this key."]
        else:
            endpoint.object_pk = key_text(key)


def rotate_secret(endpoint: WebhookEndpoint) -> str:
    """Give an endpoint a new secret and return it, this once. The old one stays valid for 24 hours beside it.

    Raises ``UnusableKeys``.
    """
    using = endpoint._state.db or "default"
    new = signing.new_secret()
    token = encryption.encrypt(new)
    with writing(using, savepoint=False):
        rows: QuerySet[WebhookEndpoint] = QuerySet(WebhookEndpoint, using=using)
        held = rows.select_for_update().get(pk=endpoint.pk)
        changed = {
            "secret": token,
            "old_secret": held.secret,
            "old_secret_until": timezone.now() + OVERLAP,
        }
        QuerySet(WebhookEndpoint, using=using).filter(pk=endpoint.pk).update(**changed)
    for name, value in changed.items():
        setattr(endpoint, name, value)
    endpoint.new_secret = new
    return new
