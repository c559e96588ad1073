"""The soak at full size: `python -m tests.dispatch.soak celery --broker redis --firings 10000 --kills 50 --restarts 2`.

On the database that `DATABASE` names; it is made for this and removed. Minutes long, so not part of the suite.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import django


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=["celery", "command", "thread"])
    parser.add_argument("--broker", choices=["redis", "rabbitmq"], default="redis")
    parser.add_argument("--firings", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--restarts", type=int, default=0)
    parser.add_argument("--workers", type=int, default=3)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.dispatch.settings"
    from tests.webhooks.receiver import Receiver

    receiver = Receiver()
    os.environ["TEST_PORTS"] = str(receiver.port)
    django.setup()
    from django.db import connection
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    from tests.dispatch.brokers import KINDS
    from tests.dispatch.soaking import Plan, Soak
    from tests.dispatch.workers import Workers

    setup_test_environment()
    made = setup_databases(verbosity=0, interactive=False, aliases={"default": False})
    plan = Plan(options.mode, options.firings, options.kills, options.restarts, options.workers, seconds=900)
    environment = {**os.environ, "DATABASE_NAME": str(connection.settings_dict["NAME"])}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = KINDS[options.broker](folder) if options.mode == "celery" else None
        workers = Workers(environment, folder)
        try:
            if broker is not None:
                broker.start()
            report = Soak(plan, workers, receiver, broker, lambda text: print(text, flush=True)).run()
        finally:
            workers.end()
            if broker is not None:
                broker.stop()
            receiver.close()
        if report.faults:
            print(workers.said()[-5000:])
    print(report)
    teardown_databases(made, verbosity=0)
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
