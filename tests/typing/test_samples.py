"""The annotations serve their users: sound code passes `mypy --strict`, and mistakes are found where they are.

The samples are judged in one run, with the project's own configuration.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLES = sorted(Path(__file__).parent.glob("samples/[a-z]*.py"))

#: Where → what a checker says, or must say, there.
Findings = dict[tuple[str, int], str]


def expected() -> Findings:
    """What the comments of the samples ask for."""
    found = {}
    for path in SAMPLES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if "# E: " in line:
                found[path.name, number] = line.partition("# E: ")[2].strip()
    return found


def told() -> Findings:
    """What mypy says of the samples; what it says of the rest is judged where the rest is checked."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--no-pretty", *map(str, SAMPLES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=840,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: Findings = {}
    for line in done.stdout.splitlines():
        match = re.match(r"tests/typing/samples/(\w+\.py):(\d+): error: (.*)", line)
        if match:
            place = match[1], int(match[2])
            found[place] = f"{found.get(place, '')} {match[3]}".strip()
    return found


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sound_code_passes_and_each_mistake_is_found() -> None:
    wanted, said = expected(), told()
    wrong = [
        f"{name}:{number}: should be told {wanted.get((name, number), 'nothing')!r}, "
        f"is told {said.get((name, number), 'nothing')!r}"
        for name, number in sorted({*wanted, *said})
        if wanted.get((name, number), "nothing") not in said.get((name, number), "nothing")
        or (name, number) not in wanted
    ]
    assert wrong == [], "\n".join(wrong)


def test_there_are_samples_of_both_kinds() -> None:
    names = [path.name for path in SAMPLES]
    assert len([name for name in names if name.startswith("accepted")]) >= 2
    assert any(name.startswith("refused") for name in names)
    assert len(expected()) > 30
    assert all(name.startswith("refused") for name, _ in expected())
