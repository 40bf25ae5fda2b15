"""The page's HTML: whole, closed, and with its words in it before any script runs."""

from __future__ import annotations

import base64
import gzip
import re
from dataclasses import replace
from html.parser import HTMLParser

import orjson
import pytest
from made_results import flash_crowd, made, scenario

from tonnage.twin.assertions import judge, parse_assertions
from tonnage.twin.verdict import verdict_of
from tonnage.web import render_comparison, render_report
from tonnage.web.compare import differences

pytest.importorskip("plotly", reason="needs the report extra")

VOID = {"meta", "input", "br", "img", "link", "hr"}


class Outline(HTMLParser):
    """Tags that were opened and closed, ids, and the text outside of scripts."""

    def __init__(self, page):
        super().__init__()
        self.open, self.ids, self.text, self.addresses = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in values:
            self.ids.append(values["id"])
        self.addresses += [values[name] for name in ("src", "href", "action") if name in values]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


@pytest.fixture(scope="module")
def page():
    result = flash_crowd()
    verdict = verdict_of(result)
    return render_report(result, verdict, judge(parse_assertions(["p99<=100ms", "replicas.max<=20"]), result, verdict))


def unpacked(page, name):
    text = re.search(rf'<script type="text/plain" id="{name}">(.*?)</script>', page)[1]
    return gzip.decompress(base64.b64decode(text))


def test_the_page_is_closed_and_every_link_leads_somewhere(page):
    """Tags are balanced, ids are unique, and the navigation's targets exist."""
    outline = Outline(page)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert {address.removeprefix("#") for address in outline.addresses} <= set(outline.ids)


def test_the_page_asks_the_network_for_nothing(page):
    """No address but its own anchors, and a policy that forbids all others."""
    assert all(address.startswith("#") for address in Outline(page).addresses)
    assert "default-src 'none'" in page
    assert "@import" not in page
    assert "url(" not in page


def test_the_words_are_in_the_page_without_a_script(page):
    """Verdict, causes, assertions, limits and settings can be read, searched and mailed."""
    text = " ".join(Outline(page).text)
    for said in (
        "The objective was missed: p99 10 s against 100 ms",
        "the HPA asked for 4 replicas at 0:02:15",
        "replicas.max<=20",
        "the cloud's quota of GPUs",
        "replicas_max",
    ):
        assert said in text


def test_plotly_and_the_data_are_inside_once(page):
    """What the script unpacks is what was packed."""
    assert b"plotly.js" in unpacked(page, "plotly")[:200]
    assert page.count('id="plotly"') == 1
    assert orjson.loads(unpacked(page, "data"))["runs"][0]["duration_s"] == 600.0


def test_the_same_run_gives_the_same_page(page):
    """Nothing of the day or the machine is in it."""
    result = flash_crowd()
    verdict = verdict_of(result)
    again = render_report(result, verdict, judge(parse_assertions(["p99<=100ms", "replicas.max<=20"]), result, verdict))
    assert again == page


def test_names_cannot_become_markup():
    """A hostile name is text, in the title, in the page and in the data."""
    result = flash_crowd(scenario_=scenario(name="<script>alert(1)</script>"))
    page = render_report(result, verdict_of(result))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_day_is_a_page_of_a_few_megabytes():
    """86,400 seconds of noise stay below 8 MB."""
    import random

    draw = random.Random(1)
    result = made(offered=lambda _: draw.uniform(0, 250), scenario_=scenario(duration_s=86_400.0))
    assert len(render_report(result, verdict_of(result))) < 8e6


def pair():
    first, second = flash_crowd(), made(offered=lambda _: 150.0, scenario_=scenario(name="calm", seed=1))
    return (first, verdict_of(first)), (second, verdict_of(second))


def test_differences_say_what_is_better():
    """Less latency is better, more answers are, and sizes are neither."""
    found = {row.measure.name: row for row in differences(*pair())}
    assert (found["p99"].better, found["answered"].better, found["replicas.max"].better) == (True, False, None)
    assert found["drops"].change == "−21,500 (−100%)"
    assert found["cost"].change == ""
    assert "rollout.seconds" not in found


def test_a_comparison_has_both_runs_and_the_settings_that_differ():
    """Both names, both data, and only the settings that are not the same."""
    runs = pair()
    page = render_comparison(runs, ["flash", "calm"])
    outline = Outline(page)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert {address.removeprefix("#") for address in outline.addresses} <= set(outline.ids)
    text = " ".join(outline.text)
    assert "flash against calm" in text
    assert "Run: seed" in text
    assert "Autoscaler: replicas_max" not in text
    assert len(orjson.loads(unpacked(page, "data"))["runs"]) == 2


def test_what_was_assumed_is_said():
    """A reader must know what was guessed, and in which money is counted."""
    result = flash_crowd()
    text = " ".join(Outline(render_report(result, verdict_of(result), assumed=["no nodes were given"], currency="EUR")).text)
    assert "no nodes were given" in text
    assert "1.67 EUR" in text


def test_a_run_without_an_autoscaler_or_objective_has_a_page():
    """What is not there is left out or said."""
    result = replace(flash_crowd(scenario_=scenario(objective=None, autoscaler=None)), records=(), not_modelled=())
    text = " ".join(Outline(render_report(result, verdict_of(result))).text)
    assert "no objective" in text
    assert "The twin models all that the input asked for." in text
