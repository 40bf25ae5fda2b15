"""Virtual time, and what comes first at one instant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.errors import BugError
from tonnage.twin import engine as engine_module
from tonnage.twin import events
from tonnage.twin.engine import Engine
from tonnage.twin.events import Priority


def played(plans):
    """What runs in which order, of (time, priority) plans."""
    engine = Engine()
    done = []
    for number, (time_s, priority) in enumerate(plans):
        engine.at(time_s, priority, lambda number=number: done.append((engine.now_s, plans[number][1], number)))
    engine.run(100.0)
    return done


@given(st.lists(st.tuples(st.integers(0, 5).map(float), st.integers(0, 3)), max_size=40))
def test_actions_run_by_time_priority_and_number(plans):
    """The order is that of (time, priority, the order of planning), and each runs once."""
    done = played(plans)
    assert done == sorted(done)
    assert len(done) == len(plans)


def test_the_table_of_priorities_names_every_priority_in_order():
    """The documented table is the one that is used."""
    rows = re.findall(r"^    ([A-Z]+)  ", events.__doc__, re.MULTILINE)
    assert rows == [priority.name for priority in Priority]
    assert [priority.value for priority in Priority] == list(range(len(Priority)))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (Priority.HAPPENING, Priority.NODE),
        (Priority.NODE, Priority.CONTAINER),
        (Priority.CONTAINER, Priority.PROBE),
        (Priority.STATUS, Priority.ENDPOINTS),
        (Priority.SCRAPE, Priority.HPA),
        (Priority.HPA, Priority.WORKLOAD),
        (Priority.WORKLOAD, Priority.SCHEDULER),
        (Priority.SCHEDULER, Priority.PROVISIONER),
        (Priority.PROVISIONER, Priority.OBSERVE),
    ],
)
def test_causes_come_before_effects(first, then):
    """Planned in the wrong order for one instant, they still run in the right one."""
    assert [priority for _, priority, _ in played([(1.0, then), (1.0, first)])] == [first, then]


def test_sums_of_seconds_are_simultaneous():
    """0.1 + 0.2 is 0.3: time is whole nanoseconds."""
    engine = Engine()
    done = []
    engine.at(0.3, 1, lambda: done.append("late"))
    engine.at(0.1 + 0.2, 0, lambda: done.append("early"))
    engine.run(0.3)
    assert done == ["early", "late"]


def test_what_is_planned_at_once_runs_within_the_instant():
    """An action can cause another at the same time, after what has a smaller priority there."""
    engine = Engine()
    done = []
    engine.at(1.0, 0, lambda: engine.after(0.0, 5, lambda: done.append(("caused", engine.now_s))))
    engine.at(1.0, 3, lambda: done.append(("planned", engine.now_s)))
    engine.run(1.0)
    assert done == [("planned", 1.0), ("caused", 1.0)]


def test_a_cancelled_action_does_not_run():
    """Cancelling is final; a ticket knows whether it waits."""
    engine = Engine()
    done = []
    ticket = engine.at(1.0, 0, lambda: done.append("no"))
    assert ticket.waiting
    ticket.cancel()
    engine.run(2.0)
    assert not done
    assert not ticket.waiting
    assert engine.actions_done == 0


def test_the_past_happens_now():
    """Time never goes backwards."""
    engine = Engine()
    engine.run(5.0)
    times = []
    engine.at(1.0, 0, lambda: times.append(engine.now_s))
    engine.run(6.0)
    assert times == [5.0]
    assert engine.now_s == 6.0


def test_time_that_stands_still_is_an_error(monkeypatch):
    """A loop that plans itself for the same instant for ever is found, and not waited for."""
    monkeypatch.setattr(engine_module, "ACTIONS_PER_INSTANT_MAX", 100)
    engine = Engine()

    def again():
        engine.after(0.0, 0, again)

    again()
    with pytest.raises(BugError, match=re.escape("time stands still at 0.0 s")):
        engine.run(1.0)


def test_the_engine_knows_no_kubernetes():
    """Its text has none of Kubernetes' words."""
    text = Path(engine_module.__file__).read_text()
    assert not re.search(r"pod|node|kube|replica|deploy", text, re.IGNORECASE)
