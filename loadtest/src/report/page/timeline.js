// The charts of a run: percentile curves, the timeline, and the recovery from each fault.

/** Points of a line, at most; in longer runs one point stands for several seconds. */
const MAX_POINTS = 600;

const maxOf = (values) => values.reduce((a, b) => Math.max(a, b), 0);
const minOf = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const valuesOf = (lines) => lines.flatMap((line) => line.ys.filter(Number.isFinite));

/** Percentile curves; `curves` are { name, nines, us }. */
function percentileChart(about, curves, size) {
  const lines = curves.map(({ name, nines, us }) => ({ name, xs: nines, ys: us }));
  const values = valuesOf(lines);
  const last = maxOf(curves.map(({ nines }) => nines.at(-1) ?? 0));
  return { about, x: ninesAxis(10 ** last), y: logAxis("us", minOf(values), maxOf(values)), xs: [], lines, ...size };
}

/** The curves of a metric in one run: one line if corrected and uncorrected are equal. */
function metricChart(metric, { nines, corrected, uncorrected }, size) {
  const isSame = corrected.every((us, index) => us === uncorrected[index]);
  const curves = isSame
    ? [{ name: "corrected = uncorrected", nines, us: corrected }]
    : [{ name: "corrected", nines, us: corrected }, { name: "uncorrected", nines, us: uncorrected }];
  return percentileChart(`${METRICS[metric][0]} by percentile`, curves, size);
}

/** The seconds of a run, in pieces: one piece a point. */
function piecesOf(run) {
  const seconds = Math.max(1, Math.ceil(run.series.length / MAX_POINTS));
  const pieces = [];
  for (let at = 0; at < run.series.length; at += seconds) pieces.push(run.series.slice(at, at + seconds));
  return pieces;
}

/** A line of the timeline: the mean of each piece, or the maximum with `isMax`. */
function line(pieces, name, valueOf, isMax = false) {
  const ys = pieces.map((piece) => {
    const values = piece.map(valueOf).filter(Number.isFinite);
    if (values.length === 0) return null;
    return isMax ? maxOf(values) : values.reduce((a, b) => a + b, 0) / values.length;
  });
  return { name, ys };
}

/** A line for each name; those beyond the distinct styles are summed up in one line. `missing` stands for a name that a second lacks. */
function linesByName(run, pieces, valuesAt, missing = 0) {
  const peaks = {};
  for (const second of run.series) {
    for (const [name, value] of Object.entries(valuesAt(second))) peaks[name] = Math.max(peaks[name] ?? 0, value);
  }
  const names = Object.keys(peaks).filter((name) => peaks[name] > 0).sort((a, b) => peaks[b] - peaks[a]);
  const others = names.splice(names.length > STYLES ? STYLES - 1 : STYLES);
  const lines = names.sort().map((name) => line(pieces, name, (second) => valuesAt(second)[name] ?? missing));
  const sum = (second) => others.reduce((total, name) => total + (valuesAt(second)[name] ?? 0), 0);
  return others.length ? [...lines, line(pieces, `${others.length} others together`, sum)] : lines;
}

/** The lines on top of each other, with tinted areas. */
function stacked(lines) {
  let below = [];
  return lines.map((one) => {
    const ys = one.ys.map((y, index) => y + (below[index] ?? 0));
    const top = { name: one.name, ys, below: ys.map((_, index) => below[index] ?? 0), filled: true };
    below = ys;
    return top;
  });
}

/** A chart of the timeline, with the faults marked. */
function timelineChart(run, pieces, title, unit, lines, size) {
  const xs = pieces.map((piece) => piece.at(-1).at_s);
  const values = valuesOf(lines);
  const y = unit === "us" ? logAxis("us", minOf(values), maxOf(values)) : zeroAxis(unit, maxOf(values));
  const marks = run.faults.map((fault) => ({ at: fault.at_s, label: fault.what }));
  if (xs[0] < -1) marks.unshift({ at: 0, label: "load begins" });
  if (xs.at(-1) > run.load_s + 1) marks.push({ at: run.load_s, label: "load ends" });
  return { about: `${title} over the run`, x: spanAxis("seconds", Math.min(0, xs[0] ?? 0), xs.at(-1) ?? 1), y, xs, lines, marks, ...size };
}

/** p50, p99 and maximum of a metric over the run. */
function timesOverRun(run, metric, size) {
  const pieces = piecesOf(run);
  const quantile = (key) => (second) => second.times[metric]?.[key] || null;
  const lines = [line(pieces, "p50", quantile("p50_us")), line(pieces, "p99", quantile("p99_us"), true), line(pieces, "max", quantile("max_us"), true)];
  return timelineChart(run, pieces, METRICS[metric][0], "us", lines, size);
}

/** The metrics on the timeline: calls and messages; without those, the first two that occur. */
function timelineMetrics(run) {
  const occurs = (metric) => run.series.some((second) => metric in second.times);
  const chosen = ["call_setup", "one_way", "reconnect"].filter(occurs);
  return chosen.length ? chosen : Object.keys(METRICS).filter((metric) => metric !== "start_delay" && occurs(metric)).slice(0, 2);
}

/** All charts of the timeline that have something to show. */
function timeline(run) {
  if (run.series.length === 0) return [];
  const pieces = piecesOf(run);
  const seconds = pieces[0].length;
  const shown = [];
  const add = (title, hint, unit, lines) => {
    const more = seconds > 1 ? ` One point is ${seconds} seconds.` : "";
    if (lines.length) shown.push(figure(title, hint + more, timelineChart(run, pieces, title, unit, lines, LARGE)));
  };
  const rates = (...counters) => counters
    .filter((counter) => run.series.some((second) => second.counts[counter] > 0))
    .map((counter) => line(pieces, format.key(counter).toLowerCase(), (second) => second.counts[counter] ?? 0));

  for (const metric of timelineMetrics(run)) {
    shown.push(figure(METRICS[metric][0], `Corrected: ${METRICS[metric][1]}.`, timesOverRun(run, metric, LARGE)));
  }
  add("Starts per second", "What the schedule planned, and its results.", "count", rates("planned", "calls_started", "calls_set_up", "connects", "abuse_refused"));
  add("Messages per second", "", "count", rates("sent", "arrived"));
  add("Connections by node", "At the end of each second. Nodes are stacked; the top is the sum.", "count", stacked(linesByName(run, pieces, (second) => second.connected)));
  if (run.series.some((second) => second.calls_under_way > 0)) {
    add("Calls under way", "", "count", [line(pieces, "calls under way", (second) => second.calls_under_way)]);
  }
  add("CPU", "In cores. The generator is the load test itself.", "cores", linesByName(run, pieces, (second) => ({ ...second.server_cores, generator: second.generator_cores }), null));
  add("Failures per second", "Failures that were reported; only those that occurred.", "count", rates("calls_failed", "connects_failed", "disconnects", "send_errors", "dropped", "abuse_accepted"));
  return shown;
}

/** Connections after a fault. A point shows the minimum of its stretch, so that no dip is hidden. */
function recoveryChart(fault) {
  const step = Math.max(1, Math.ceil(fault.curve.length / MAX_POINTS));
  const points = [];
  for (let at = 0; at < fault.curve.length; at += step) {
    const piece = fault.curve.slice(at, at + step);
    points.push([piece[0][0], minOf(piece.map(([, count]) => count))]);
  }
  const xs = points.map(([at]) => at);
  const lines = [
    { name: "connections", ys: points.map(([, count]) => count), filled: true },
    { name: "before", ys: xs.map(() => fault.connected_before) },
  ];
  const marks = [["detected", fault.detected_s], ["all back", fault.reconnected_s]]
    .filter(([, at]) => at !== null)
    .map(([name, at]) => ({ at, label: `${name} ${format.seconds(at)}` }));
  const about = `Connections after ${fault.what}`;
  return { about, x: spanAxis("seconds", 0, xs.at(-1)), y: zeroAxis("count", maxOf(valuesOf(lines))), xs, lines, marks, ...SMALL };
}
