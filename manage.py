#!/usr/bin/env python
"""Runs the sample project's commands."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sample_project.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            f"Django is not installed for {sys.executable}. Run `make demo`, or activate the environment it made."
        ) from error
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
