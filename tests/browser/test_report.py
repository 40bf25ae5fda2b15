"""The report in a real browser: it draws, zooms, reads out, expands, and asks nobody."""

from __future__ import annotations

import pytest
from made_results import flash_crowd, flash_crowd_records, made, scenario

from tonnage.twin.assertions import judge, parse_assertions
from tonnage.twin.verdict import verdict_of
from tonnage.web import render_comparison, render_report


@pytest.fixture(scope="module")
def report():
    result = flash_crowd()
    verdict = verdict_of(result)
    return render_report(result, verdict, judge(parse_assertions(["drops==0"]), result, verdict))


@pytest.fixture
def page(report, open_page):
    return open_page(report)


def window(page):
    """The window of time of every plot that is drawn."""
    return page.evaluate("[...document.querySelectorAll('.js-plotly-plot')].map((one) => one.layout.xaxis.range)")


def chart(page, name):
    element = page.locator(f"#{name} .plot")
    element.scroll_into_view_if_needed()
    page.wait_for_selector(f"#{name} .js-plotly-plot .main-svg")
    return element


def drag(page, element, start, stop):
    """Draw a box over a part of a plot."""
    box = element.bounding_box()
    left, width = box["x"] + 78, box["width"] - 78 - 18
    y = box["y"] + box["height"] / 2
    page.mouse.move(left + start * width, y)
    page.mouse.down()
    page.mouse.move(left + stop * width, y, steps=5)
    page.mouse.up()


def test_the_page_opens_without_a_network_and_without_a_complaint(page):
    """One file is asked for, itself, and the console stays empty."""
    for name in ("requests", "latency", "cost", "pod-lives"):
        chart(page.page, name)
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("blob:", "data:"))] == [page.page.url]


def test_every_plot_draws_when_it_is_scrolled_to(page):
    """Each chart and each timeline has its lines or bars."""
    names = page.page.evaluate("[...document.querySelectorAll('figure.chart')].map((one) => one.id)")
    assert names == ["requests", "latency", "replicas", "work", "metric-0", "nodes", "cost", "pod-lives", "node-lives"]
    for name in names:
        chart(page.page, name)
        marks = page.page.locator(f"#{name} .scatterlayer .js-line, #{name} .barlayer .point").count()
        assert marks > 0, name


def test_the_cursor_reads_the_values_of_all_charts(page):
    """At 0:03:20 450 requests/s are offered, 300 answered, and the latency is that of the queue."""
    element = chart(page.page, "requests")
    box = element.bounding_box()
    page.page.mouse.move(box["x"] + 78 + (box["width"] - 96) * 200 / 600, box["y"] + 60)
    legend = {
        button.inner_text().split("\n")[0]: button.locator(".value").inner_text()
        for button in page.page.locator("#requests .legend button").all()
    }
    assert [value for name, value in legend.items()][:3] == ["300", "450", "150"]
    assert page.page.locator("#latency .legend .value").nth(2).inner_text() == "6.69 s"
    assert page.page.locator("#latency .cursor").evaluate("(line) => getComputedStyle(line).display") == "block"
    page.page.mouse.move(5, 5)
    assert page.page.locator("#latency .legend .value").nth(2).inner_text() == ""


def test_a_zoom_in_one_plot_is_a_zoom_in_all_and_a_double_click_undoes_it(page):
    """From 2 to 4 minutes; then the whole run."""
    element = chart(page.page, "requests")
    chart(page.page, "latency")
    element.scroll_into_view_if_needed()
    drag(page.page, element, 0.2, 0.4)
    page.page.wait_for_function("document.querySelector('.bar .window').textContent !== ''")
    ranges = window(page.page)
    assert len(ranges) >= 2
    for low, high in ranges:
        assert low == pytest.approx(120, abs=2)
        assert high == pytest.approx(240, abs=2)
    assert page.page.locator(".bar .window").inner_text().startswith("0:02:00")
    box = element.bounding_box()
    page.page.mouse.dblclick(box["x"] + 400, box["y"] + 60)
    page.page.wait_for_function("document.querySelector('.bar .window').textContent === ''")
    assert set(map(tuple, window(page.page))) == {(0, 600)}


def test_a_violation_zooms_the_plots_to_itself(page):
    """The row's time is a button."""
    page.page.click("button[data-from='120.0']")
    chart(page.page, "requests")
    low, high = window(page.page)[0]
    assert low < 120 < 253 < high < 400


def test_a_decision_opens_to_what_it_saw_and_which_rules_decided(page):
    """Closed at first; open: metric, rules, conditions; closed again."""
    rows = page.page.locator("#decisions tbody tr")
    assert rows.count() == 2
    button = page.page.get_by_role("button", name="What the autoscaler saw at 0:02:15")
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    detail = page.page.locator("#decisions tr.detail").inner_text()
    assert button.get_attribute("aria-expanded") == "true"
    for said in ("inference_latency_p99", "0.5", "E2: ratio 5.0 outside tolerance 0.1", "AbleToScale"):
        assert said in detail
    button.click()
    assert page.page.locator("#decisions tr.detail").count() == 0


def test_decisions_can_be_filtered(page):
    """All of them, and those that name a rule."""
    page.page.get_by_label("only where something changed").uncheck()
    assert page.page.locator("#decisions [role=status]").inner_text() == "40 of 40 decisions"
    page.page.get_by_label("Search decisions").fill("proposes 4")
    assert page.page.locator("#decisions [role=status]").inner_text() == "31 of 40 decisions"


def test_a_timeline_reads_out_what_a_pod_was_doing(page):
    """The third pod was loading at 150 s."""
    element = chart(page.page, "pod-lives")
    box = element.bounding_box()
    page.page.mouse.move(box["x"] + 78 + (box["width"] - 96) * 150 / 600, box["y"] + 8 + 2.5 * 17)
    assert "ranker-c on gpu-2: loading from 0:02:20 to 0:02:50 (30 s)" in page.page.locator("#pod-lives .readout").inner_text()


def test_a_series_can_be_hidden(page):
    """A legend's entry is a switch that says its state."""
    chart(page.page, "latency")
    button = page.page.locator("#latency .legend button").first
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert page.page.evaluate("document.querySelector('#latency .js-plotly-plot').data[0].visible") is False


def test_the_keyboard_reads_and_zooms(page):
    """Arrows move the cursor and speak the values; plus zooms, zero shows all."""
    element = chart(page.page, "requests")
    element.focus()
    page.page.keyboard.press("ArrowRight")
    assert "offered" in page.page.locator("#live").inner_text()
    page.page.keyboard.press("+")
    assert page.page.locator(".bar .window").inner_text() != ""
    page.page.keyboard.press("0")
    assert page.page.locator(".bar .window").inner_text() == ""


def test_dark_is_the_systems_choice_and_can_be_switched(report, open_page):
    """The page follows the system, and a button overrules it, plots included."""
    opened = open_page(report, dark=True)
    root = opened.page.locator("html")
    assert root.get_attribute("data-theme") == "dark"
    chart(opened.page, "requests")
    before = opened.page.evaluate("document.querySelector('#requests .js-plotly-plot').layout.xaxis.gridcolor")
    opened.page.click("#theme")
    assert root.get_attribute("data-theme") == "light"
    after = opened.page.evaluate("document.querySelector('#requests .js-plotly-plot').layout.xaxis.gridcolor")
    assert before != after
    assert opened.complaints == []


def test_text_has_contrast_in_both_themes(report, open_page):
    """Every colour of text stands out from its ground by 4.5 to 1, as WCAG AA asks."""
    for dark in (False, True):
        opened = open_page(report, dark=dark)
        ratios = opened.page.evaluate(CONTRAST)
        assert ratios
        assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}


CONTRAST = """() => {
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    const hex = style.getPropertyValue(`--${name}`).trim();
    const parts = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const pairs = [["ink", "page"], ["ink", "card"], ["soft", "page"], ["soft", "card"], ["accent", "card"], ["accent", "page"],
    ["good", "good-soft"], ["bad", "bad-soft"], ["good", "card"], ["bad", "card"], ["c-objective", "card"], ["c-target", "card"]];
  return Object.fromEntries(pairs.map(([text, ground]) => {
    const [low, high] = [light(text), light(ground)].sort((a, b) => a - b);
    return [`${text} on ${ground}`, (high + 0.05) / (low + 0.05)];
  }));
}"""


def test_a_narrow_screen_does_not_scroll_sideways(report, open_page):
    """A telephone shows the page at its own width."""
    opened = open_page(report, width=400)
    chart(opened.page, "requests")
    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_run_without_records_is_drawn(open_page):
    """No autoscaler, no pods: what is there is shown, what is not is said."""
    result = made(offered=lambda _: 100.0, scenario_=scenario(autoscaler=None, objective=None))
    opened = open_page(render_report(result, verdict_of(result)))
    assert "No autoscaler looked at this service." in opened.page.locator("#decisions").inner_text()
    assert opened.complaints == []


def test_two_runs_share_their_axes(open_page):
    """Side by side, one scale for both, and a zoom in one is a zoom in the other."""
    first = flash_crowd()
    second = made(offered=lambda _: 150.0, records=flash_crowd_records(), scenario_=scenario(name="calm"))
    runs = [(result, verdict_of(result)) for result in (first, second)]
    opened = open_page(render_comparison(runs, ["flash", "calm"]), width=1500)
    page = opened.page
    element = chart(page, "requests-0")
    chart(page, "requests-1")
    tops = page.evaluate("['requests-0', 'requests-1'].map((id) => document.querySelector(`#${id} .js-plotly-plot`).layout.yaxis.range)")
    assert tops[0] == tops[1]
    drag(page, element, 0.1, 0.5)
    page.wait_for_function("document.querySelector('.bar .window').textContent !== ''")
    assert len({tuple(one) for one in window(page)}) == 1
    assert opened.complaints == []
    assert "replicas.max" in page.locator("#difference").inner_text()


def test_a_day_zooms_in_a_fraction_of_a_second_to_its_single_seconds(open_page):
    """Eleven hours at every second: a zoom is redrawn from what the page holds, down to one second."""
    result = made(offered=lambda at_s: 100.0 + at_s % 97, scenario_=scenario(duration_s=39_600.0))
    opened = open_page(render_report(result, verdict_of(result)))
    page = opened.page
    element = chart(page, "requests")
    points = "document.querySelector('#requests .js-plotly-plot').data[0].x.length"
    assert page.evaluate(points) <= 1600
    drag(page, element, 0.5, 0.51)
    page.wait_for_function("document.querySelector('.bar .window').textContent !== ''")
    assert page.evaluate(points) == pytest.approx(396, abs=60)
