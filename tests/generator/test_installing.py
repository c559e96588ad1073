"""`--install`: settings, routes and AGENTS.md, once; and what happens to an app that is there already."""

from __future__ import annotations

import pytest

from tests.generator.host import Host

pytestmark = [pytest.mark.once, pytest.mark.pure]

APP = ("startfsmapp", "invoice", "--fields", "number:string")


def test_an_installed_app_is_served_and_says_what_comes_next(host: Host) -> None:
    host.write("AGENTS.md", "# Our rules\n\nBe kind.\n")
    before = host.read("shop/settings.py")

    said = host.manage(*APP, "--install")

    assert host.read("shop/settings.py") == before.replace(
        '"fsm_lifecycle",  # ours come below\n', '"fsm_lifecycle",  # ours come below\n    "invoice",\n'
    )
    assert host.read("shop/urls.py").endswith(
        "from django.urls import include, path\n\nurlpatterns = [\n"
        '    path("admin/", admin.site.urls),\n    path("invoices/", include("invoice.urls")),\n]\n'
    )
    agents = host.read("AGENTS.md")
    assert agents.startswith("# Our rules\n\nBe kind.\n\n<!-- fsm_lifecycle: begin -->\n## Lifecycles")
    assert "the model Invoice" in said
    assert "1. python manage.py migrate" in said
    assert "leads nowhere" not in said


def test_installing_again_changes_nothing_more(host: Host) -> None:
    host.manage(*APP, "--install")
    before = host.snapshot()
    host.manage(*APP, "--install", "--force")
    after = host.snapshot()
    # The date in the migration's first line may be another minute's.
    differing = {name for name in before | after if before.get(name) != after.get(name)}
    assert differing <= {"invoice/migrations/0001_initial.py"}


def test_a_section_of_an_older_version_is_replaced(host: Host) -> None:
    host.write(
        "AGENTS.md", "# Ours\n\n<!-- fsm_lifecycle: begin -->\nold\n<!-- fsm_lifecycle: end -->\n\nMore.\n"
    )
    host.manage(*APP, "--install")
    agents = host.read("AGENTS.md")
    assert "old" not in agents
    assert agents.count("fsm_lifecycle: begin") == 1
    assert agents.startswith("# Ours\n")
    assert agents.endswith("More.\n")


def test_without_install_it_says_what_to_add(host: Host) -> None:
    before = host.snapshot()
    said = host.manage(*APP)
    assert 'add "invoice" to INSTALLED_APPS' in said
    assert 'add path("invoices/", include("invoice.urls")) to shop.urls' in said
    assert {name: data for name, data in host.snapshot().items() if not name.startswith("invoice/")} == before


def test_routes_stand_before_what_takes_every_address(host: Host) -> None:
    host.write("pages/__init__.py", "")
    host.write("pages/urls.py", "urlpatterns = []\n")
    urls = host.read("shop/urls.py").replace("import path", "import include, path")
    host.write("shop/urls.py", urls.replace("]\n", '    path("", include("pages.urls")),\n]\n'))
    host.manage(*APP, "--install")
    assert host.read("shop/urls.py").endswith(
        '    path("invoices/", include("invoice.urls")),\n    path("", include("pages.urls")),\n]\n'
    )


def test_settings_in_several_files_are_followed_to_the_list(host: Host) -> None:
    text = host.read("shop/settings.py").replace("parent.parent", "parent.parent.parent")
    (host.folder / "shop" / "settings.py").unlink()
    host.write("shop/settings/base.py", text.replace("\n", "\r\n"))
    host.write("shop/settings/__init__.py", "from .base import *\n\nDEBUG = True\n")
    host.manage(*APP, "--install")
    data = (host.folder / "shop/settings/base.py").read_bytes()
    assert b'    "invoice",\r\n]' in data
    assert data.count(b"\n") == data.count(b"\r\n")


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "shop/settings.py",
            "INSTALLED_APPS = [",
            "INSTALLED_APPS = list([",
            "no list INSTALLED_APPS = [...]",
        ),
        ("shop/urls.py", "urlpatterns = [", "urlpatterns = list([", "no list urlpatterns = [...]"),
        (
            "shop/urls.py",
            "import admin\n",
            "import admin\nfrom os import path as include\n",
            "include is the name of",
        ),
    ],
)
def test_what_cannot_be_edited_is_said_and_nothing_is_written(
    host: Host, file: str, old: str, new: str, said: str
) -> None:
    text = host.read(file)
    assert old in text
    text = text.replace(old, new)
    if "list([" in new:
        head, _, tail = text.partition(new)
        text = head + new + tail.replace("\n]\n", "\n])\n", 1)
    host.write(file, text)
    before = host.snapshot()
    refusal = host.refused(*APP, "--install")
    assert said in refusal
    assert "by hand" in refusal
    assert host.snapshot() == before


def test_an_app_that_is_there_is_only_overwritten_with_force(host: Host) -> None:
    host.manage(*APP)
    host.write("invoice/models.py", "mine = True\n")
    host.write("invoice/services.py", "kept = True\n")
    before = host.snapshot()

    assert "is there already. Nothing in it was touched" in host.refused(*APP)
    assert host.snapshot() == before

    host.manage(*APP, "--force")
    assert "class Invoice(LifecycleModel)" in host.read("invoice/models.py")
    assert host.read("invoice/services.py") == "kept = True\n"
    assert [path.name for path in host.folder.iterdir() if path.name.startswith(".")] == []


def test_force_is_refused_where_more_migrations_follow(host: Host) -> None:
    host.manage(*APP)
    host.write("invoice/migrations/0002_more.py", "")
    assert "0002_more.py" in host.refused(*APP, "--force")


def test_the_templates_extend_the_sites_base_and_its_block(host: Host) -> None:
    host.write("templates/frame.html", "<html>{% block main %}{% endblock %}</html>")
    host.write("templates/base.html", '{% extends "frame.html" %}')
    host.manage(*APP)
    page = host.read("invoice/templates/invoice/list.html")
    assert page.startswith('{% extends "base.html" %}')
    assert "{% block main %}" in page


def test_a_base_without_a_block_to_fill_is_told_of(host: Host) -> None:
    host.write("templates/base.html", "<html>{% block footer %}{% endblock %}</html>")
    assert "none of the blocks content, main, body, page" in host.manage(*APP)
    assert 'extends "fsm_lifecycle/base.html"' in host.read("invoice/templates/invoice/list.html")


def test_what_django_finds_wrong_with_the_app_is_refused(host: Host) -> None:
    """A model that the other app has not migrated yet cannot be referenced."""
    host.write("goods/__init__.py", "")
    host.write("goods/migrations/__init__.py", "")
    host.write("goods/models.py", "from django.db import models\n\nclass Item(models.Model):\n    pass\n")
    host.write(
        "shop/settings.py", host.read("shop/settings.py").replace('"guardian",', '"guardian", "goods",')
    )
    before = host.snapshot()
    said = host.refused("startfsmapp", "invoice", "--fields", "item:references:goods.Item")
    assert "goods.Item has no migration yet" in said
    assert host.snapshot() == before
