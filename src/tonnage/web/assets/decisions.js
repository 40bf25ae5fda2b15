// Every decision of the autoscaler, as a table whose rows open to what it saw and which rules decided.
"use strict";

const ROWS_STEP = 150;

class Decisions {
  constructor(clock, run) {
    this.clock = clock; this.run = run; this.limit = ROWS_STEP; this.onlyChanges = true; this.onlyWindow = false; this.word = "";
    this.body = make("tbody", {});
    this.count = make("span", { class: "unit", role: "status" });
    this.more = make("button", { type: "button", text: "Show more", onclick: () => { this.limit += ROWS_STEP * 4; this.fill(); } });
    const changes = make("input", { type: "checkbox", checked: true, onchange: (event) => { this.onlyChanges = event.target.checked; this.restart(); } });
    const inside = make("input", { type: "checkbox", onchange: (event) => { this.onlyWindow = event.target.checked; this.restart(); } });
    const search = make("input", { type: "search", placeholder: "reason, metric, rule …", "aria-label": "Search decisions",
      oninput: (event) => { this.word = event.target.value.toLowerCase(); this.restart(); } });
    const head = ["", "at", "replicas", "outcome", "decided by", "in words"].map((text, i) => make("th", { scope: "col", text: text, class: i === 2 ? "number" : null }));
    this.element = make("div", { class: "card" },
      make("div", { class: "tools" },
        make("label", {}, changes, document.createTextNode(" only where something changed")),
        make("label", {}, inside, document.createTextNode(" only in the window shown")), search, this.count),
      make("div", { class: "scroll" }, make("table", {}, make("caption", { class: "visually-hidden", text: "Decisions of the HorizontalPodAutoscaler" }),
        make("thead", {}, make("tr", {}, ...head)), this.body)), this.more);
    clock.watchers.push(() => { if (this.onlyWindow) this.restart(); });
    this.fill();
  }
  restart() { this.limit = ROWS_STEP; this.fill(); }
  fill() {
    const { from, to } = this.clock;
    const wanted = this.run.decisions.filter((one) => (!this.onlyChanges || one.changed)
      && (!this.onlyWindow || (one.at_s >= from && one.at_s <= to))
      && (!this.word || one.search.includes(this.word)));
    this.body.replaceChildren(...wanted.slice(0, this.limit).flatMap((one) => this.row(one)));
    this.count.textContent = `${wanted.length.toLocaleString("en-US")} of ${this.run.decisions.length.toLocaleString("en-US")} decisions`;
    this.more.hidden = wanted.length <= this.limit;
  }
  row(one) {
    const expander = make("button", { type: "button", class: "expander", "aria-expanded": "false", "aria-label": `What the autoscaler saw at ${showTime(one.at_s)}` });
    const row = make("tr", { class: one.rescaled ? "changed" : null },
      make("td", {}, expander),
      make("td", {}, make("button", { type: "button", class: "link", text: showTime(one.at_s), title: "Zoom the plots to this moment",
        onclick: () => { this.clock.around(one.at_s - 60, one.at_s + 60); this.clock.point(one.at_s); } })),
      make("td", { class: "number", text: one.desired === one.replicas ? String(one.replicas) : `${one.replicas} → ${one.desired}` }),
      make("td", { text: one.outcome }), make("td", { text: one.decided_by }), make("td", { text: one.words }));
    expander.addEventListener("click", () => {
      const open = expander.getAttribute("aria-expanded") === "true";
      expander.setAttribute("aria-expanded", String(!open));
      if (open) row.nextSibling.remove(); else row.after(this.detail(one));
    });
    return [row];
  }
  detail(one) {
    const cell = make("td", { colspan: 6 });
    if (one.metrics.length) {
      const rows = one.metrics.map((metric) => make("tr", {}, make("th", { scope: "row", text: metric.name }),
        make("td", { class: "number", text: metric.current }), make("td", { class: "number", text: metric.target }),
        make("td", { class: "number", text: metric.proposal }), make("td", { text: metric.error })));
      cell.append(make("h3", { text: "What it saw" }), make("table", {}, make("thead", {}, make("tr", {},
        ...["metric", "current", "target", "asks for", "error"].map((text, i) => make("th", { scope: "col", text, class: i > 0 && i < 4 ? "number" : null })))), make("tbody", {}, ...rows)));
    }
    if (one.trace.length) {
      cell.append(make("h3", { text: "Rules that decided, in order" }), make("ol", {}, ...one.trace.map((step) => make("li", { text: this.run.strings[step] }))));
    }
    if (one.conditions.length) {
      cell.append(make("h3", { text: "Conditions" }), make("table", {}, make("tbody", {}, ...one.conditions.map((condition) =>
        make("tr", {}, ...condition.map((index, i) => make(i ? "td" : "th", i ? { text: this.run.strings[index] } : { scope: "row", text: this.run.strings[index] })))))));
    }
    if (!cell.childNodes.length) cell.append(make("p", { class: "note", text: "Nothing more was recorded." }));
    return make("tr", { class: "detail" }, cell);
  }
}
