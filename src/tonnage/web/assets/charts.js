// Plots over time. All share one window of time: a zoom in one is a zoom in all, and so is the cursor.
"use strict";

const MARGIN = { l: 78, r: 18, t: 8, b: 28 };
const CHART_HEIGHT = 210;

class Clock {
  // The window of time that every plot shows, and the moment under the cursor.
  constructor(duration) {
    this.duration = duration; this.from = 0; this.to = duration; this.at = null;
    this.plots = []; this.watchers = [];
  }
  show(from, to) {
    const least = Math.min(this.duration, 2);
    this.from = Math.max(0, Math.min(from, this.duration - least));
    this.to = Math.min(this.duration, Math.max(to, this.from + least));
    for (const plot of this.plots) plot.draw();
    for (const watcher of this.watchers) watcher();
  }
  reset() { this.show(0, this.duration); }
  around(from, to) {
    const room = Math.max(30, (to - from) * 0.4);
    this.show(from - room, to + room);
  }
  point(at) {
    this.at = at;
    for (const plot of this.plots) plot.point(at);
  }
}

class TimePlot {
  // What every plot has: the axis of time, bands, lazy drawing, the cursor and the keyboard.
  constructor(clock, run, height, label) {
    this.clock = clock; this.run = run; this.height = height; this.visible = false; this.drawn = false;
    this.canvas = make("div", {});
    this.line = make("div", { class: "cursor" });
    this.box = make("div", { class: "plot", tabindex: 0, role: "group", "aria-label": label,
      "aria-roledescription": "plot; arrow keys read the values, plus and minus zoom, zero shows all" },
      this.canvas, this.line);
    this.box.style.minHeight = `${height}px`;
    this.box.addEventListener("mousemove", (event) => this.follow(event));
    this.box.addEventListener("mouseleave", () => clock.point(null));
    this.box.addEventListener("keydown", (event) => this.key(event));
    clock.plots.push(this);
    new IntersectionObserver((entries) => {
      this.visible = entries.some((entry) => entry.isIntersecting);
      if (this.visible && !this.drawn) this.draw();
    }, { rootMargin: "300px" }).observe(this.box);
    new ResizeObserver(() => { this.drawn = false; if (this.visible) this.draw(); }).observe(this.box);
  }
  width() { return this.box.clientWidth; }
  timeAt(x) {
    const part = (x - MARGIN.l) / (this.width() - MARGIN.l - MARGIN.r);
    return this.clock.from + Math.min(1, Math.max(0, part)) * (this.clock.to - this.clock.from);
  }
  placeOf(time) {
    const part = (time - this.clock.from) / (this.clock.to - this.clock.from);
    return MARGIN.l + part * (this.width() - MARGIN.l - MARGIN.r);
  }
  follow(event) {
    const edge = this.box.getBoundingClientRect();
    this.clock.point(this.timeAt(event.clientX - edge.left));
    this.over(event.clientY - edge.top);
  }
  over() {}
  key(event) {
    const { clock } = this, span = clock.to - clock.from, middle = clock.at ?? (clock.from + clock.to) / 2;
    const step = Math.max(this.run.interval_s, span / 200) * (event.shiftKey ? 10 : 1);
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      const at = middle + (event.key === "ArrowRight" ? step : -step);
      clock.point(Math.min(clock.to, Math.max(clock.from, at)));
      say(`${showTime(clock.at)}: ${this.reading(clock.at)}`);
    } else if (event.key === "+") clock.show(middle - span / 4, middle + span / 4);
    else if (event.key === "-") clock.show(middle - span, middle + span);
    else if (event.key === "0") clock.reset();
    else return;
    event.preventDefault();
  }
  reading() { return ""; }
  point(at) {
    const shown = at !== null && at >= this.clock.from && at <= this.clock.to;
    this.line.style.display = shown ? "block" : "none";
    if (shown) this.line.style.left = `${this.placeOf(at)}px`;
  }
  draw() {
    if (!this.visible) { this.drawn = false; return; }
    if (this.width() < MARGIN.l + MARGIN.r + 40) return;
    this.drawn = true;
    const first = !this.canvas.data;
    Plotly.react(this.canvas, this.traces(), this.layout(), { displayModeBar: false, responsive: false, doubleClick: false });
    if (first) {
      this.canvas.on("plotly_relayout", (change) => {
        if ("xaxis.range[0]" in change) this.clock.show(change["xaxis.range[0]"], change["xaxis.range[1]"]);
        else if ("xaxis.range" in change) this.clock.show(...change["xaxis.range"]);
      });
      this.canvas.on("plotly_doubleclick", () => this.clock.reset());
    }
    this.point(this.clock.at);
  }
  layout() {
    const { clock, run } = this, ink = colour("soft"), width = this.width();
    const band = (span) => ({ type: "rect", xref: "x", yref: "paper", x0: span.from_s, x1: span.to_s, y0: 0, y1: 1,
      fillcolor: colour("band"), line: { width: 0 }, layer: "below" });
    const mark = (event) => ({ type: "line", xref: "x", yref: "paper", x0: event.at_s, x1: event.at_s, y0: 0, y1: 1,
      line: { color: ink, width: 1, dash: "dot" }, layer: "below" });
    return {
      width, height: this.height, margin: MARGIN, showlegend: false, hovermode: false, dragmode: "zoom",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, size: 11, family: getComputedStyle(document.body).fontFamily },
      xaxis: { range: [clock.from, clock.to], gridcolor: colour("grid"), zeroline: false, tickmode: "array",
        ticks: "outside", ticklen: 5, tickcolor: "rgba(0,0,0,0)", ...timeTicks(clock.from, clock.to, Math.max(2, width / 110)) },
      yaxis: this.yaxis(), shapes: [...run.verdict.spans.map(band), ...run.marks.map(mark), ...this.shapes()],
      annotations: this.annotations(),
    };
  }
  shapes() { return []; }
  annotations() { return []; }
}

class Chart extends TimePlot {
  // One chart of one or more series, with a legend that reads the values under the cursor.
  constructor(clock, run, chart) {
    super(clock, run, CHART_HEIGHT, `${chart.title}${chart.unit ? `, ${chart.unit}` : ""}. ${chart.summary}`);
    this.chart = chart; this.hidden = new Set(chart.series.filter((one) => one.hidden).map((one) => one.name));
    this.limit = null; // upper end of y, when another run shares it
    this.show = SHOWN[chart.format] ?? showNumber;
    this.values = new Map();
    this.element = make("figure", { class: "card chart", id: chart.id },
      make("figcaption", {}, make("h3", { text: chart.title }, ), make("span", { class: "unit", text: chart.unit }), this.legend()),
      this.box, chart.note ? make("p", { class: "note", text: chart.note }) : null);
  }
  legend() {
    const row = make("div", { class: "legend" });
    for (const series of this.chart.series) {
      const value = make("span", { class: "value" });
      const swatch = make("span", { class: `swatch ${series.dash ? "dash" : ""}` });
      swatch.style.borderTopColor = `var(--${series.colour})`;
      const button = make("button", { type: "button", "aria-pressed": String(!this.hidden.has(series.name)),
        title: `Show or hide ${series.name}`,
        onclick: () => {
          if (!this.hidden.delete(series.name)) this.hidden.add(series.name);
          button.setAttribute("aria-pressed", String(!this.hidden.has(series.name)));
          this.draw();
        } }, swatch, document.createTextNode(series.name), value);
      this.values.set(series, value);
      row.append(button);
    }
    return row;
  }
  at(series, time) {
    const times = this.run.time_s;
    let i = indexAt(times, time);
    if (i >= times.length || (i > 0 && times[i] > time)) i -= 1;
    return i < 0 ? null : series.values[i];
  }
  reading(time) {
    return this.chart.series.map((series) => `${series.name} ${this.show(this.at(series, time))}`).join(", ");
  }
  point(at) {
    super.point(at);
    for (const [series, value] of this.values) value.textContent = at === null ? "" : this.show(this.at(series, at));
  }
  traces() {
    const { clock, run } = this;
    return this.chart.series.map((series) => {
      const { x, y } = sampled(run.time_s, series.values, clock.from, clock.to);
      const line = { color: colour(series.colour), width: series.dash ? 1.4 : 1.6, shape: series.step ? "hv" : "linear" };
      if (series.dash) line.dash = "dash";
      return { type: "scatter", mode: "lines", name: series.name, x, y, line, connectgaps: false,
        visible: !this.hidden.has(series.name), hoverinfo: "skip",
        fill: series.fill ? "tozeroy" : "none", fillcolor: series.fill ? `${colour(series.colour)}2b` : undefined };
    });
  }
  top() {
    // The greatest value that the window shows, of series that are not hidden.
    const { clock, run } = this;
    let top = 0, least = Infinity;
    const first = Math.max(0, indexAt(run.time_s, clock.from) - 1), last = indexAt(run.time_s, clock.to) + 1;
    for (const series of this.chart.series) {
      if (this.hidden.has(series.name)) continue;
      for (const value of series.values.slice(first, last)) {
        if (value > top) top = value;
        if (value !== null && value > 0 && value < least) least = value;
      }
    }
    for (const line of this.chart.lines) { top = Math.max(top, line.value); least = Math.min(least, line.value); }
    return { top, least };
  }
  yaxis() {
    let { top, least } = this.top();
    for (const other of this.partners ?? []) {
      const there = other.top();
      top = Math.max(top, there.top); least = Math.min(least, there.least);
    }
    const axis = { fixedrange: true, gridcolor: colour("grid"), zeroline: false, ticks: "outside", ticklen: 6, tickcolor: "rgba(0,0,0,0)" };
    if (this.chart.log && Number.isFinite(least) && top / least > 20) {
      const decades = [Math.log10(least * 0.75), Math.log10(top * 1.4)];
      const tickvals = [];
      for (let power = Math.floor(decades[0]); power <= decades[1]; power += 1) {
        for (const part of decades[1] - decades[0] > 2.6 ? [1] : [1, 3]) tickvals.push(part * 10 ** power);
      }
      return { ...axis, type: "log", range: decades, tickmode: "array", tickvals, ticktext: tickvals.map(this.show) };
    }
    const high = (top || 1) * 1.08, step = niceStep(high / 4), tickvals = [];
    for (let value = 0; value <= high; value += step) tickvals.push(Number(value.toPrecision(12)));
    return { ...axis, type: "linear", range: [-0.02 * high, high], tickmode: "array", tickvals, ticktext: tickvals.map(this.show) };
  }
  shapes() {
    return this.chart.lines.map((line) => ({ type: "line", xref: "paper", x0: 0, x1: 1, yref: "y", y0: line.value, y1: line.value,
      line: { color: colour(line.colour), width: 1.6, dash: "dash" } }));
  }
  annotations() {
    const log = this.yaxis().type === "log";
    const labels = this.chart.lines.map((line) => ({ xref: "paper", x: 1, xanchor: "right", yref: "y", y: log ? Math.log10(line.value) : line.value,
      yanchor: "bottom", showarrow: false, text: line.name, font: { color: colour(line.colour), size: 11 } }));
    if (!this.chart.marks) return labels;
    const { from, to } = this.clock;
    let last = -Infinity;
    for (const mark of this.run.marks) {
      const place = this.placeOf(mark.at_s);
      if (mark.at_s < from || mark.at_s > to || place - last < 110) continue;
      last = place;
      labels.push({ xref: "x", x: mark.at_s, xanchor: place > this.width() - 200 ? "right" : "left", yref: "paper", y: 1, yanchor: "top", showarrow: false,
        text: escaped(mark.short), font: { size: 10.5, color: colour("soft") } });
    }
    return labels;
  }
}

function escaped(text) {
  // Plotly reads a little HTML in labels.
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
}

function niceStep(size) {
  const power = 10 ** Math.floor(Math.log10(size || 1)), part = size / power;
  return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}
