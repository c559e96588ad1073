"""The recorded log: the CSV says what the XES log says, and cites it."""

import gzip
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sample_project.helpdesk import convert
from sample_project.helpdesk.log import EVENT_OF, read_log
from sample_project.helpdesk.models import Ticket

pytestmark = pytest.mark.once

EVENT = """
    <event>
      <string key="concept:name" value="{activity}" />
      <string key="org:resource" value="Value 7" />
      <date key="time:timestamp" value="{time}" />
      <string key="seriousness" value="Value 1" />
      <string key="customer" value="Value 12" />
      <string key="product" value="Value 3" />
      <string key="responsible_section" value="Value 1" />
      <string key="seriousness_2" value="Value 2" />
      <string key="service_level" value="Value 1" />
      <string key="service_type" value="Value 4" />
      <string key="support_section" value="Value 1" />
      <string key="workgroup" value="Value 2" />
    </event>"""


def xes(*cases: tuple[int, list[tuple[str, str]]]) -> str:
    traces = "".join(
        f'<trace><string key="concept:name" value="Case {number}" />'
        + "".join(EVENT.format(activity=activity, time=time) for activity, time in events)
        + "</trace>"
        for number, events in cases
    )
    return f'<?xml version="1.0"?><log xmlns="http://www.xes-standard.org/">{traces}</log>'


def converted(folder: Path, text: str) -> bytes:
    source, target = folder / "log.xes.gz", folder / "log.csv.gz"
    source.write_bytes(gzip.compress(text.encode()))
    convert.write_csv(list(convert.read_cases(source)), target)
    return target.read_bytes()


def test_the_csv_holds_the_whole_log() -> None:
    cases = list(read_log())
    events = [event for case in cases for event in case.events]

    assert len(cases) == len({case.number for case in cases}) == 4580
    assert len(events) == 21348
    assert {event.person for event in events} == set(range(1, 23))
    counts = Counter(event.name for event in events)
    assert counts.most_common(6) == [
        ("take_in_charge", 5060),
        ("resolve", 4983),
        ("assign_seriousness", 4938),
        ("close", 4574),
        ("wait", 1463),
        ("require_upgrade", 119),
    ]


def test_cases_and_their_events_stand_in_the_order_in_which_they_happened() -> None:
    cases = list(read_log())

    assert [case.events[0].at for case in cases] == sorted(case.events[0].at for case in cases)
    assert all(list(case.events) == sorted(case.events, key=lambda event: event.at) for case in cases)
    assert cases[0].fields["opened_at"] == datetime(2010, 1, 13, 8, 40, 25, tzinfo=UTC)


def test_each_activity_is_an_event_of_its_own() -> None:
    assert len(EVENT_OF) == len(set(EVENT_OF.values())) == 14
    assert set(EVENT_OF.values()) == set(Ticket.lifecycle.events) - {"reopen"}


def test_the_same_log_gives_the_same_bytes(tmp_path: Path) -> None:
    first = (4, [("Insert ticket", "2012-03-01T10:00:00+01:00"), ("Closed", "2012-03-02T10:00:00+01:00")])
    second = (2, [("Wait", "2012-02-01T10:00:00+00:00")])

    here, there = converted(tmp_path, xes(first, second)), converted(tmp_path, xes(second, first))

    assert here == there
    header, *rows = gzip.decompress(here).decode().splitlines()
    assert header.startswith("case,activity,person,time,seriousness,customer")
    assert rows[0].startswith("2,Wait,7,2012-02-01T10:00:00Z,2,12,3,")
    assert rows[1].startswith("4,Insert ticket,7,2012-03-01T09:00:00Z,2,12,3,")


def test_a_file_that_is_another_log_is_refused_by_name(tmp_path: Path) -> None:
    text = xes((8, [("Wait", "2012-02-01T10:00:00+00:00")])).replace("org:resource", "org:role")

    with pytest.raises(ValueError, match=r"An event of case 8 has no org:resource\."):
        converted(tmp_path, text)


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert convert.main(["nowhere.xes"]) == 2
    assert "There is no file nowhere.xes." in capsys.readouterr().err


def test_the_source_is_cited_where_the_data_lies() -> None:
    readme = (convert.CSV_PATH.parent / "README.md").read_text()

    assert "M. Polato" in readme
    assert "doi:10.4121/uuid:0c60edf1-6f83-4e75-9367-4c63b3e9d5bb" in readme
