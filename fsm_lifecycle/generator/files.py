"""The files of a new app: the texts in ``templates/`` filled in from a blueprint.

Must not know where they are written to, nor how a migration is made.
"""

from __future__ import annotations

from pathlib import Path
from string import Template

from fsm_lifecycle.generator import code, extras, model_code, names, tests_code
from fsm_lifecycle.generator.blueprint import Blueprint
from fsm_lifecycle.pages.site import Base

TEMPLATES = Path(__file__).parent / "templates"
PAGES = ("list", "detail", "form", "delete", "fire")


def files_of(app: Blueprint, base: Base) -> dict[str, str]:
    """Every file but the migration, by its path in the app's folder."""
    own = _own(app)
    made = {
        "__init__.py": _filled("__init__.py", own),
        "admin.py": _filled("admin.py", own),
        "apps.py": _filled("apps.py", own),
        "forms.py": _filled("forms.py", own),
        "models.py": _filled(
            "models.py",
            own,
            imports=model_code.imports(app),
            fields=model_code.fields(app),
            meta=model_code.meta(app),
            lifecycle="\n\n".join([model_code.lifecycle(app), *_members(app)]),
            title=model_code.title(app),
        ),
        "urls.py": _urls(app, own),
        "views.py": _filled("views.py", own),
        "migrations/__init__.py": _filled("migrations/__init__.py", own),
        "tests/__init__.py": _filled("tests/__init__.py", own),
        "tests/making.py": _filled(
            "tests/making.py",
            own,
            imports=tests_code.making_imports(app),
            user=tests_code.user_maker(),
            others=tests_code.other_makers(app),
            values=tests_code.values(app),
            answers=tests_code.answers(app),
        ),
        "tests/test_lifecycle.py": _filled(
            "tests/test_lifecycle.py", own, events=tests_code.event_tests(app)
        ),
        "tests/test_pages.py": _pages_tests(app, own),
    }
    for page in PAGES:
        made[f"templates/{app.label}/{page}.html"] = _filled(
            f"templates/{page}.html", own, base=base.template, block=base.block
        )
    for extra in extras.wanted(app):
        made.update(extra.files(app, lambda name, **more: _filled(name, own, **more)))
    return made


def _members(app: Blueprint) -> list[str]:
    """What extras say in the lifecycle, a block each."""
    found = ("\n".join(extra.members(app)) for extra in extras.wanted(app))
    return [block for block in found if block]


def _urls(app: Blueprint, own: dict[str, str]) -> str:
    routes = [route for extra in extras.wanted(app) for route in extra.routes(app)]
    imported = code.imports([], {"django.urls": ["path", *(["include"] if routes else [])]})
    return _filled("urls.py", own, imports=imported, routes="".join(f"{route}\n" for route in routes))


def _own(app: Blueprint) -> dict[str, str]:
    one = names.with_article(app.one)
    fields = [f'"{field.name}"' for field in app.fields]
    columns = [f'"{name}"' for name in tests_code.columns(app)]
    text = [field.name for field in app.fields if field.kind is not None and field.kind.empty_text]
    return {
        "label": app.label,
        "module": app.module,
        "model": app.model,
        "one": app.one,
        "a_one": one,
        "A_one": names.sentence(one),
        "many": app.many,
        "Many": names.sentence(app.many),
        "initial": app.table.initial.name,
        "columns": code.listing("columns = ", columns, 4).partition("= ")[2],
        "form_fields": code.listing("fields = ", fields, 8).partition("= ")[2],
        "shown": code.listing("shown_fields = ", fields, 4).partition("= ")[2],
        "admin_columns": code.listing("list_display = ", ['"__str__"', *columns], 4).partition("= ")[2],
        "search": code.listing("search_fields = ", [f'"{name}"' for name in text], 4).partition("= ")[2],
    }


def _pages_tests(app: Blueprint, own: dict[str, str]) -> str:
    role = next((role for role in app.table.roles if role.default), None)
    event = tests_code.first_event(app)
    fire = ""
    if event is not None:
        fire = _method(_filled("tests/fire.py", own, event=event.name, target=event.target))
    return _filled(
        "tests/test_pages.py",
        own,
        Initial=names.sentence(names.spoken(app.table.initial.name)),
        last=app.table.states[-1].name,
        **tests_code.grants(app),
        fire=fire,
        stranger=_method(_filled("tests/stranger.py", own)) if role is not None else "",
    )


def _method(text: str) -> str:
    """A method as it stands in a class."""
    return f"\n    {text}"


def _filled(name: str, own: dict[str, str], **more: str) -> str:
    text = (TEMPLATES / f"{name}-tpl").read_text(encoding="utf-8")
    filled = Template(text).substitute(own | more)
    return f"{filled.strip()}\n" if filled.strip() else ""
