"""Owns a walk through the project in `unfold_settings`. Run as `python -m tests.contrib.unfold_visits`.

It is a process of its own, since unfold replaces Django's admin site for good where it is installed. Prints one JSON
object: by the name of a page, its status, its text and where it leads. Must not know what is right.
"""

import json
import os
import sys
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.contrib.unfold_settings"


def main() -> dict[str, Any]:
    django.setup()
    from django.core.management import call_command
    from django.test import Client
    from django.test.utils import setup_test_environment

    setup_test_environment()
    call_command("migrate", run_syncdb=True, verbosity=0)
    call_command("check", stdout=sys.stderr)

    from django.conf import settings
    from django.test import override_settings

    from fsm_lifecycle import System
    from fsm_lifecycle.dispatch import work_off
    from fsm_lifecycle.models import WebhookEndpoint
    from tests.admin.people import client_of, staff, with_role
    from tests.testapp.models import Invoice
    from tests.testapp.offices import Claim

    draft = Invoice.objects.create(client_name="", amount=7)
    sent = Invoice.objects.create(client_name="Acme & Sons", amount=7)
    sent.fire("send_invoice", actor=System("test"))
    root = client_of(staff("root", is_superuser=True))
    claim = Claim.objects.create(title="Broken pane")
    owner = client_of(with_role(staff("owner"), "owner", claim))
    auditor = client_of(with_role(staff("auditor"), "auditor", claim))

    def visit(client: Client, url: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
        answer: Any = client.get(url) if data is None else client.post(url, data)
        place = answer.headers.get("Location", "")
        return {"status": answer.status_code, "text": answer.content.decode(), "location": place}

    invoices = "/admin/testapp/invoice/"
    endpoint = WebhookEndpoint.objects.create(url="https://example.com/hooks", events=["testapp.door.*"])
    seen = [f"{one.lifecycle_sequence}:{one.pk}" for one in (draft, sent)]
    pages = {
        "index": visit(root, "/admin/"),
        "list": visit(root, invoices),
        "draft": visit(root, f"{invoices}{draft.pk}/change/"),
        "sent": visit(root, f"{invoices}{sent.pk}/change/"),
        "event": visit(root, f"{invoices}{sent.pk}/event/pay/"),
        "history": visit(root, f"{invoices}{sent.pk}/history/"),
        "many": visit(root, invoices, {"action": "fire_pay", "_selected_action": [draft.pk, sent.pk]}),
        "section": visit(root, "/admin/lifecycle/"),
        "log": visit(root, "/admin/lifecycle/log/"),
        "work": visit(root, "/admin/lifecycle/work/"),
        "webhooks": visit(root, "/admin/lifecycle/webhooks/"),
        "webhook": visit(root, f"/admin/lifecycle/webhooks/{endpoint.pk}/"),
        "adding": visit(root, "/admin/lifecycle/webhooks/add/"),
        "owner": visit(owner, f"/admin/testapp/claim/{claim.pk}/change/"),
        "auditor": visit(auditor, f"/admin/testapp/claim/{claim.pk}/change/"),
        "stale": visit(
            root,
            f"{invoices}{sent.pk}/event/mark_overdue/",
            {"expected_sequence": sent.lifecycle_sequence - 1},
        ),
        "fired": visit(
            root, f"{invoices}{sent.pk}/event/mark_overdue/", {"expected_sequence": sent.lifecycle_sequence}
        ),
        "bulk": visit(root, f"{invoices}_event/cancel/", {"seen": seen}),
    }
    pages["result"] = visit(root, pages["bulk"]["location"])
    for _ in range(3):
        Invoice.objects.create(client_name="Bo", amount=7)
    every = list(Invoice.objects.values_list("pk", flat=True))
    few = {**getattr(settings, "FSM_LIFECYCLE", {}), "ADMIN_BULK_INLINE": 2}
    with override_settings(FSM_LIFECYCLE=few):
        far = visit(root, invoices, {"action": "fire_cancel", "_selected_action": every})
    pages["asked"] = visit(root, far["location"])
    visit(root, far["location"], {})
    pages["going"] = visit(root, far["location"])
    work_off("default", alone=True)
    pages["done"] = visit(root, far["location"])
    return {"pages": pages, "group": group(), "state": Invoice.objects.get(pk=sent.pk).state}


def group() -> Any:
    """What a navigation of one's own gets on the page of the log, and what somebody without rights gets."""
    from django.contrib.auth.models import User
    from django.test import RequestFactory

    from fsm_lifecycle.contrib.unfold import lifecycle_group

    found = []
    for name in ("root", "auditor"):
        request = RequestFactory().get("/admin/lifecycle/log/")
        request.user = User.objects.get(username=name)
        found.append(lifecycle_group(request))
    return found


if __name__ == "__main__":
    print(json.dumps(main()))
