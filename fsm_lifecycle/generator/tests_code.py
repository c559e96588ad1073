"""The tests of a new app as code: making records, every event, every page.

Must not know the files around them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model

from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.generator import code, samples
from fsm_lifecycle.generator.blueprint import Blueprint
from fsm_lifecycle.generator.fields import NewField
from fsm_lifecycle.generator.table import NewEvent


def making_imports(app: Blueprint) -> str:
    """What ``tests/making.py`` imports."""
    uses = {"Any", "adopting", "get_user_model"}
    made, needed = samples.makers(_referenced(app))
    uses |= needed | ({"count"} if made else set())
    plain = {module for f in _required(app) if f.kind for module in f.kind.imports}
    stdlib = code.imports(
        plain,
        {
            "datetime": uses & {"timedelta"},
            "itertools": uses & {"count"},
            "typing": {"Any"},
            "unittest": uses & {"SkipTest"},
            "uuid": uses & {"uuid4"},
        },
    )
    third = code.imports(
        [],
        {
            "django.apps": uses & {"apps"},
            "django.contrib.auth": {"get_user_model"},
            "django.utils": uses & {"timezone"},
            "fsm_lifecycle": {"adopting"},
        },
    )
    own = code.imports([], {"..models": [app.model]})
    return code.sections("from __future__ import annotations", stdlib, third, own)


def user_maker() -> str:
    """How a user of this project is made."""
    model = get_user_model()
    if model.USERNAME_FIELD == "username":
        return "    return get_user_model().objects.get_or_create(username=name)[0]"
    value = 'f"{name}@example.com"' if "email" in model.USERNAME_FIELD else "name"
    made = "get_user_model()._default_manager.get_or_create"
    return f"    return {made}({model.USERNAME_FIELD}={value})[0]"


def other_makers(app: Blueprint) -> str:
    """The functions that make what the model references."""
    makers, _ = samples.makers(_referenced(app))
    if not makers:
        return "\n\n"
    numbers = "\n#: Numbers that no other record has.\nnumbers = count(1)\n\n\n"
    return numbers + "\n\n".join(makers) + "\n\n"


def values(app: Blueprint) -> str:
    """The values of a record, those of the caller last."""
    own = _dict((f.name, _made(f) if f.to else f.kind.sample if f.kind else "") for f in _required(app))
    return "values" if own == "{}" else f"{own} | values"


def answers(app: Blueprint) -> str:
    """What a browser would send."""
    return _dict((f.name, f"{_made(f)}.pk" if f.to else _posted(f)) for f in _required(app))


def grants(app: Blueprint) -> dict[str, str]:
    """What gives the tests' user its roles, by its place in a template: the lines of ``setUp``, and their imports.

    The app's own default role; and for each reference that has to be filled in a role that reads the records that it
    leads to: forms and the API take no others.
    """
    own = next((role for role in app.table.roles if role.default), None)
    others = {label: _reader(apps.get_model(label)) for label in _referenced(app)}
    wanted = [] if own is None else [(app.model, own.name)]
    wanted += [(f'apps.get_model("{label}")', name) for label, name in others.items() if name is not None]
    calls = [
        code.call("grant_role", ["self.user", f'"{name}"', f"on={model}", 'by=System("tests")'], 8)
        for model, name in wanted
    ]
    third = code.imports([], {"fsm_lifecycle": ["System"], "fsm_lifecycle.access": ["grant_role"]})
    return {
        "grant": "".join(f"\n{line}" for line in calls),
        "third_imports": f"{third}\n" if calls else "",
        "apps": "from django.apps import apps\n" if any(others.values()) else "",
    }


def _reader(model: Any) -> str | None:
    """A role of a model's lifecycle that reads; None where there is no lifecycle or everybody reads."""
    binding = getattr(model, "_lifecycle", None)
    roles = [] if binding is None else binding.table.roles.values()
    return next((role.name for role in roles if CRUD.READ in role.crud), None)


def event_tests(app: Blueprint) -> str:
    """One test for each event."""
    return "\n\n".join(_event_test(event, app) for event in app.table.events)


def first_event(app: Blueprint) -> NewEvent | None:
    """An event that the initial state allows."""
    initial = app.table.initial
    for event in app.table.events:
        if initial.name in event.sources or ("*" in event.sources and not initial.terminal):
            return event
    return None


def _event_test(event: NewEvent, app: Blueprint) -> str:
    sources = list(event.sources)
    if "*" in sources:
        sources = [state.name for state in app.table.states if not state.terminal]
    table = f"{app.model}.Lifecycle"
    lines = [f"    def test_{event.name}_leads_to_{event.target}(self) -> None:"]
    fire = [
        f'record.fire("{event.name}", actor=System("tests"))',
        f"assert record.state == {table}.{event.target}",
    ]
    if len(sources) == 1:
        make = f"        record = make_record(state={table}.{sources[0]})"
        return "\n".join([*lines, make, *(f"        {line}" for line in fire)])
    lines.append(code.listing("for source in ", [f"{table}.{name}" for name in sources], 8) + ":")
    lines += [
        "            with self.subTest(source=source):",
        "                record = make_record(state=source)",
    ]
    lines += [f"                {line}" for line in fire]
    return "\n".join(lines)


def _referenced(app: Blueprint) -> list[str]:
    """The models, beside users and the new one itself, of which a record needs one."""
    labels = [f.to for f in _required(app) if f.to and f.to != "self" and not f.is_user]
    return list(dict.fromkeys(labels))


def _required(app: Blueprint) -> list[NewField]:
    return [f for f in app.fields if not f.optional]


def _made(field: NewField) -> str:
    if field.is_user:
        return f'make_user("{field.name.replace("_", "-")}")'
    return f"{samples.maker_name(field.to)}()"


def _posted(field: NewField) -> str:
    assert field.kind is not None
    text = field.kind.posted
    return f"'{text}'" if '"' in text else f'"{text}"'


def _dict(pairs: Iterator[tuple[str, str]]) -> str:
    inner = "".join(f'        "{name}": {value},\n' for name, value in pairs)
    return f"{{\n{inner}    }}" if inner else "{}"


def columns(app: Blueprint) -> list[str]:
    """The fields that stand beside a record's name in lists: the first four that are short."""
    title = app.text_field
    long = ("TextField", "JSONField")
    short = [f.name for f in app.fields if f is not title and not (f.kind and f.kind.field in long)]
    return short[:4]
