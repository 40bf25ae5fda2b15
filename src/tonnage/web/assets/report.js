// The page: unpacks what it carries, draws it, and joins the parts.
"use strict";

function say(text) { document.getElementById("live").textContent = text; }

async function unpacked(id) {
  const text = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

// --- light and dark ---
function themed(name) {
  document.documentElement.dataset.theme = name;
  document.getElementById("theme").textContent = name === "dark" ? "Light" : "Dark";
}
const kept = (() => { try { return localStorage.getItem("tonnage-theme"); } catch { return null; } })();
themed(kept ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));

async function start() {
  const library = document.createElement("script");
  library.textContent = await unpacked("plotly");
  document.head.append(library);
  const { runs } = JSON.parse(await unpacked("data"));
  for (const run of runs) {
    for (const one of run.decisions) {
      one.search = [one.outcome, one.decided_by, one.words, ...one.metrics.map((metric) => `${metric.name} ${metric.error}`),
        ...one.trace.map((index) => run.strings[index])].join(" ").toLowerCase();
    }
  }
  const clock = new Clock(Math.max(...runs.map((run) => run.duration_s)));
  runs.forEach((run, index) => {
    const plots = document.querySelector(`[data-plots="${index}"]`);
    if (plots) plots.append(...run.charts.map((chart) => new Chart(clock, run, chart).element));
    const decisions = document.querySelector(`[data-decisions="${index}"]`);
    if (run.decisions.length) decisions.append(new Decisions(clock, run).element);
    else decisions.append(make("p", { class: "card", text: "No autoscaler looked at this service." }));
    const lives = document.querySelector(`[data-lives="${index}"]`);
    for (const timeline of [run.pods, run.nodes]) {
      if (timeline.rows.length) lives.append(new Timeline(clock, run, timeline).element);
    }
  });
  const pairs = document.querySelector("[data-pairs]");
  if (pairs) paired(clock, runs, pairs);
  join(clock);
  document.body.dataset.state = "drawn";
}

// Charts of two runs by their title, each pair on one scale.
function paired(clock, runs, target) {
  const titles = [...new Set(runs.flatMap((run) => run.charts.map((chart) => chart.title)))];
  for (const title of titles) {
    const charts = runs.map((run, index) => {
      const found = run.charts.find((chart) => chart.title === title);
      if (!found) return null;
      return new Chart(clock, run, { ...found, id: `${found.id}-${index}` });
    });
    const there = charts.filter((chart) => chart !== null);
    for (const chart of there) chart.partners = there.filter((other) => other !== chart);
    target.append(make("div", { class: "pair" }, ...charts.map((chart) => chart?.element ?? make("p", { class: "note", text: `No “${title}” in this run.` }))));
  }
}

function join(clock) {
  const text = document.querySelector(".bar .window"), whole = document.getElementById("whole");
  const tell = () => {
    const all = clock.from === 0 && clock.to === clock.duration;
    whole.hidden = all;
    text.textContent = all ? "" : `${showTime(clock.from)} to ${showTime(clock.to)}`;
  };
  clock.watchers.push(tell);
  whole.addEventListener("click", () => clock.reset());
  for (const button of document.querySelectorAll("button[data-from]")) {
    button.addEventListener("click", () => {
      clock.around(Number(button.dataset.from), Number(button.dataset.to));
      document.getElementById("plots").scrollIntoView();
    });
  }
  document.getElementById("theme").addEventListener("click", () => {
    const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("tonnage-theme", name); } catch { /* a page from a file may have no storage */ }
    themed(name);
    for (const plot of clock.plots) { plot.drawn = false; plot.draw(); }
  });
}

start().catch((error) => {
  const text = `The plots could not be drawn: ${error.message}. A browser of 2023 or later draws them.`;
  document.querySelector("main").prepend(make("p", { class: "card verdict bad", role: "alert", text }));
  throw error;
});
