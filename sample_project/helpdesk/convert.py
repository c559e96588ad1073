"""Owns how the public XES log becomes the CSV that the sample keeps.

Must not know Django, nor what the events mean. Run it once, on the file downloaded from 4TU.ResearchData (or the same
log compressed with gzip):

    python -m sample_project.helpdesk.convert finale.xes.gz

The same log gives the same rows in the same order: cases by the time of their first event, then by number, events in
the order of the log.

Source of the format: IEEE Std 1849-2016 (XES), of which only `trace`, `event`, `string` and `date` occur here.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

CSV_PATH = Path(__file__).parent / "data" / "helpdesk.csv.gz"

# Column of the CSV, key in the log. The log's own "seriousness" is the same in each event, so the one that
# varies, "seriousness_2", takes its place.
COLUMNS = {
    "activity": "concept:name",
    "person": "org:resource",
    "time": "time:timestamp",
    "seriousness": "seriousness_2",
    "customer": "customer",
    "product": "product",
    "service_level": "service_level",
    "service_type": "service_type",
    "workgroup": "workgroup",
    "responsible_section": "responsible_section",
    "support_section": "support_section",
}
HEADER = ["case", *COLUMNS]
_NAMESPACE = "{http://www.xes-standard.org/}"

Row = dict[str, str]


def read_cases(source: Path) -> Iterator[list[Row]]:
    """The cases of an XES file, plain or gzip, in the order of the file; each a list of its events."""
    with gzip.open(source) if source.suffix == ".gz" else source.open("rb") as stream:
        for _, element in ET.iterparse(stream):  # noqa: S314 - a file the reader chose to download
            if element.tag == f"{_NAMESPACE}trace":
                yield _events_of(element)
                element.clear()


def _events_of(trace: ET.Element) -> list[Row]:
    name = trace.find(f"{_NAMESPACE}string[@key='concept:name']")
    if name is None:
        raise ValueError("A trace has no concept:name, so its case has no number. Is this the help desk log?")
    case = name.get("value", "").removeprefix("Case ")
    events = []
    for event in trace.iter(f"{_NAMESPACE}event"):
        values = {child.get("key", ""): child.get("value", "") for child in event}
        missing = [key for key in COLUMNS.values() if key not in values]
        if missing:
            raise ValueError(
                f"An event of case {case} has no {', '.join(missing)}. Is this the help desk log?"
            )
        row = {column: values[key].removeprefix("Value ") for column, key in COLUMNS.items()}
        time = datetime.fromisoformat(row["time"]).astimezone(UTC)
        events.append({"case": case, **row, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ")})
    return events


def write_csv(cases: list[list[Row]], target: Path) -> None:
    """Write the cases as gzip CSV without a time stamp of its own, so that the same log gives the same file."""
    ordered = sorted(cases, key=lambda events: (events[0]["time"], int(events[0]["case"])))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, HEADER, lineterminator="\n")
    writer.writeheader()
    for events in ordered:
        writer.writerows(events)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m sample_project.helpdesk.convert LOG.xes[.gz]", file=sys.stderr)
        return 2
    source = Path(arguments[0])
    if not source.is_file():
        print(f"There is no file {source}.", file=sys.stderr)
        return 2
    cases = list(read_cases(source))
    write_csv(cases, CSV_PATH)
    print(f"{len(cases):,} cases, {sum(map(len, cases)):,} events → {CSV_PATH}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
