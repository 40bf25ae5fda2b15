// Reading and writing of values: numbers and times for people, and the part of a series that a window shows.
"use strict";

const POINTS_MAX = 1600; // per series and chart: more than a screen has columns

function showTime(seconds) {
  const whole = Math.max(0, Math.round(seconds * 1000) / 1000);
  const hours = Math.floor(whole / 3600), minutes = Math.floor((whole % 3600) / 60), rest = whole % 60;
  const text = rest.toFixed(Number.isInteger(rest) ? 0 : 1).padStart(rest % 1 ? 4 : 2, "0");
  return `${hours}:${String(minutes).padStart(2, "0")}:${text}`;
}

function showSpan(seconds) {
  if (seconds < 120) return `${Number(seconds.toPrecision(3))} s`;
  if (seconds < 7200) return `${Number((seconds / 60).toFixed(1))} min`;
  return `${Number((seconds / 3600).toFixed(1))} h`;
}

function showNumber(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e9) return `${Number((value / 1e9).toPrecision(4))}G`;
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(4))}M`;
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

function showLatency(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  if (seconds < 1e-3) return `${Number((seconds * 1e6).toPrecision(3))} µs`;
  if (seconds < 1) return `${Number((seconds * 1e3).toPrecision(3))} ms`;
  return `${Number(seconds.toPrecision(3))} s`;
}

const SHOWN = { seconds: showLatency, number: showNumber };

// Ticks at whole and round times; an axis of dates would say 1970.
const TICK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
function timeTicks(from, to, count) {
  const wanted = (to - from) / count;
  let step = TICK_STEPS.find((one) => one >= wanted);
  if (step === undefined) step = Math.ceil(wanted / 86400) * 86400;
  const values = [];
  for (let at = Math.ceil(from / step) * step; at <= to + 1e-9; at += step) values.push(at);
  return { tickvals: values, ticktext: values.map(showTime) };
}

// First index whose time is >= the one wanted.
function indexAt(times, wanted) {
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < wanted) low = middle + 1; else high = middle;
  }
  return low;
}

// What a window shows of a series: all of it, or the least and the greatest of as many buckets as fit.
function sampled(times, values, from, to) {
  const first = Math.max(0, indexAt(times, from) - 1), last = Math.min(times.length, indexAt(times, to) + 1);
  const count = last - first;
  if (count <= POINTS_MAX) return { x: times.slice(first, last), y: values.slice(first, last) };
  const x = [], y = [], buckets = POINTS_MAX / 2;
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const start = first + Math.floor((bucket * count) / buckets);
    const stop = first + Math.floor(((bucket + 1) * count) / buckets);
    let least = -1, most = -1;
    for (let i = start; i < stop; i += 1) {
      if (values[i] === null) continue;
      if (least < 0 || values[i] < values[least]) least = i;
      if (most < 0 || values[i] > values[most]) most = i;
    }
    if (least < 0) { x.push(times[start]); y.push(null); continue; }
    for (const i of least < most ? [least, most] : least > most ? [most, least] : [least]) {
      x.push(times[i]); y.push(values[i]);
    }
  }
  return { x, y };
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || "#888";
}
