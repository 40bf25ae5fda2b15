// Lives of pods and nodes: one row each, one bar for each phase, on the same axis of time.
"use strict";

const ROW_HEIGHT = 17;

class Timeline extends TimePlot {
  constructor(clock, run, timeline) {
    const height = MARGIN.t + MARGIN.b + Math.max(1, timeline.rows.length) * ROW_HEIGHT;
    super(clock, run, height, `${timeline.title}: ${timeline.rows.length} rows. ${timeline.summary}`);
    this.timeline = timeline;
    this.readout = make("p", { class: "readout", text: "Move over a row to read it." });
    this.byRow = timeline.rows.map(() => []);
    for (const part of timeline.parts) this.byRow[part.row].push(part);
    const legend = make("div", { class: "legend" });
    for (const phase of timeline.phases) {
      const swatch = make("span", { class: "swatch box" });
      swatch.style.background = `var(--${phase.colour})`;
      legend.append(make("span", {}, swatch, document.createTextNode(` ${phase.name}  `)));
    }
    if (timeline.points.length) legend.append(make("span", { text: "✕ trouble" }));
    this.element = make("figure", { class: "card chart", id: timeline.id },
      make("figcaption", {}, make("h3", { text: timeline.title }), make("span", { class: "unit", text: timeline.unit }), legend),
      this.readout, make("div", { class: "rows" }, this.box),
      timeline.note ? make("p", { class: "note", text: timeline.note }) : null);
  }
  over(y) {
    const row = Math.floor((y - MARGIN.t) / ROW_HEIGHT), name = this.timeline.rows[row];
    if (name === undefined || this.clock.at === null) return;
    this.readout.textContent = this.describe(row, this.clock.at);
  }
  describe(row, at) {
    const part = this.byRow[row].find((one) => one.from_s <= at && at < one.to_s);
    const name = this.timeline.rows[row];
    const near = this.timeline.points.filter((one) => one.row === row && Math.abs(one.at_s - at) <= (this.clock.to - this.clock.from) / 150);
    const said = part
      ? `${this.timeline.phases[part.phase].name} from ${showTime(part.from_s)} to ${showTime(part.to_s)} (${showSpan(part.to_s - part.from_s)})${part.detail ? `: ${part.detail}` : ""}`
      : "not there";
    return [`${showTime(at)}  ${name}: ${said}`, ...near.map((one) => `✕ ${showTime(one.at_s)} ${one.text}`)].join("   ");
  }
  reading(at) {
    const counts = this.timeline.phases.map(() => 0);
    for (const part of this.timeline.parts) if (part.from_s <= at && at < part.to_s) counts[part.phase] += 1;
    return this.timeline.phases.map((phase, i) => `${counts[i]} ${phase.name}`).filter((text) => !text.startsWith("0 ")).join(", ") || "none";
  }
  traces() {
    const { from, to } = this.clock;
    const traces = this.timeline.phases.map((phase, index) => {
      const parts = this.timeline.parts.filter((part) => part.phase === index && part.to_s > from && part.from_s < to);
      return { type: "bar", orientation: "h", name: phase.name, y: parts.map((part) => part.row),
        base: parts.map((part) => part.from_s), x: parts.map((part) => part.to_s - part.from_s),
        width: 0.72, marker: { color: colour(phase.colour), line: { width: 0 } }, hoverinfo: "skip" };
    });
    const points = this.timeline.points.filter((one) => one.at_s >= from && one.at_s <= to);
    traces.push({ type: "scatter", mode: "markers", x: points.map((one) => one.at_s), y: points.map((one) => one.row), hoverinfo: "skip",
      marker: { symbol: "x", size: 8, color: colour("bad"), line: { width: 1, color: colour("card") } } });
    return traces;
  }
  yaxis() {
    const labels = this.timeline.labels;
    return { fixedrange: true, range: [labels.length - 0.5, -0.5], tickmode: "array", tickvals: labels.map((_, i) => i),
      ticktext: labels.map(escaped), showgrid: false, zeroline: false, tickfont: { size: 10 } };
  }
  layout() { return { ...super.layout(), barmode: "overlay" }; }
}
