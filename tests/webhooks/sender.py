"""A process that sends what is due, for tests that kill it: `python -m tests.webhooks.sender SETTINGS`."""

from __future__ import annotations

import json
import sys

import django


def main() -> None:
    from django.conf import settings

    settings.FSM_LIFECYCLE = json.loads(sys.argv[1])
    django.setup()
    from fsm_lifecycle.dispatch import work_off

    work_off()


if __name__ == "__main__":
    main()
