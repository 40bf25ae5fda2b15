"""What is unfinished at the end of a run, whether its objective held or not."""

from __future__ import annotations

from made_results import made

from tonnage.twin.records import MetricSeen, PodRecord, RolloutRecord, ScalingDecision
from tonnage.twin.remarks import remarks_of


def remarks(*records):
    return remarks_of(made(offered=lambda _: 100.0, records=records))


def test_a_clean_run_has_none():
    """A rollout that ended, a pod that is ready."""
    assert remarks(RolloutRecord(1.0, 2, "began"), PodRecord(1.0, "a", "n", "ready"), RolloutRecord(9.0, 2, "complete")) == ()


def test_a_rollout_that_did_not_finish_is_told_with_the_reason():
    """The last reason that the controller gave."""
    told = remarks(RolloutRecord(60.0, 2, "began"), RolloutRecord(90.0, 2, "deadlocked", "no GPU is free"))
    assert told == ("the rollout to revision 2 of 0:01:00 did not finish: no GPU is free",)


def test_a_rollout_that_another_one_replaced_is_not_unfinished():
    """Only the newest revision can be."""
    told = remarks(RolloutRecord(1.0, 2, "began"), RolloutRecord(5.0, 3, "began"), RolloutRecord(9.0, 3, "complete"))
    assert told == ()


def test_pods_without_a_node_at_the_end_are_told_in_the_schedulers_words():
    """How many, for how long, why."""
    told = remarks(PodRecord(10.0, "a", None, "created"), PodRecord(11.0, "a", None, "unschedulable", "0/4 nodes are available"))
    assert told == ("1 pod had no node at the end, for up to 9.83 min (0/4 nodes are available)",)


def test_pods_that_found_a_node_or_are_gone_are_not_told():
    """What is over is over."""
    assert remarks(PodRecord(10.0, "a", None, "created"), PodRecord(11.0, "a", "n", "scheduled"), PodRecord(12.0, "a", "n", "ready")) == ()
    assert remarks(PodRecord(10.0, "a", None, "created"), PodRecord(12.0, "a", None, "gone")) == ()


def test_containers_that_ended_again_and_again_are_told():
    """Twice or more, in pods that are still there."""
    told = remarks(*(PodRecord(at_s, "a", "n", what) for at_s, what in ((1.0, "loading"), (5.0, "killed"), (9.0, "restarted"), (15.0, "killed"))))
    assert told == ("containers of 1 pod had been restarted up to 2 times",)


def test_an_autoscaler_that_saw_nothing_is_told_by_metric():
    """In how many of its looks it could not read which metric."""
    looks = [ScalingDecision(float(i), "h", 1, 1, False, "", (MetricSeen("cpu", None, 70.0, None, "gone" if i else None),)) for i in range(3)]
    assert remarks(*looks) == ("the HPA could not read cpu in 2 of 3 looks",)
