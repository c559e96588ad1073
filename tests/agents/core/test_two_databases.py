"""Records in another database than the runs: a plan is still all or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_lifecycle.agents.undecided import ProposalFailed
from fsm_lifecycle.models import AgentRun, LifecycleDefinition, RefusedAttempt, TransitionLog
from tests.agents.core.desk import call, declared, run_of
from tests.testapp.models import Bell

pytestmark = pytest.mark.django_db(databases=["default", "other"], transaction=True)


class Elsewhere:
    """Bells and their log are in the other database."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        there = (Bell, TransitionLog, LifecycleDefinition, RefusedAttempt)
        return "other" if issubclass(model, there) else None

    db_for_write = db_for_read


@pytest.mark.parametrize("mode", ["never", "always"])
def test_one_failing_step_leaves_everything(settings: Any, root: Any, mode: str) -> None:
    settings.DATABASE_ROUTERS = [Elsewhere()]
    first, second = Bell.objects.create(), Bell.objects.create(mischief="raise")
    second.fire("ring", actor=root)
    steps = [
        {"event": "ring", "id": str(first.pk), "expected_state": "silent"},
        {"event": "hush", "id": str(second.pk), "expected_state": "ringing"},
    ]
    with declared(lifecycle=Bell, approval=dict.fromkeys(("ring", "hush"), mode)) as agent:
        run = run_of(agent, root)
        answer = call(run, "plan_bells", steps=steps)
        if mode == "always":
            with pytest.raises(ProposalFailed):
                run.proposals.get().approve(by=root)
    assert answer["code"] == ("tool_failed" if mode == "never" else "approval_required")
    assert (AgentRun.objects.using("default").count(), Bell.objects.using("other").count()) == (1, 2)
    assert [bell.state for bell in Bell.objects.order_by("pk")] == ["silent", "ringing"]
    assert not first.log.filter(event="ring").exists()
