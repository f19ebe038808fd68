// The top of the page: the verdict, the most important figures, and the runs compared with each other.

const count = (run, counter) => run.counts[counter] ?? 0;
const violations = (run) => VIOLATIONS.reduce((sum, [counter]) => sum + count(run, counter), 0);

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** An exit code: style, title, meaning. */
const VERDICTS = {
  0: ["ok", "Passed", "all requirements were met"],
  97: ["invalid", "Invalid", "the figures do not describe the servers under this load; the reason is below"],
  98: ["failed", "Violations", "the oracle found messages that went wrong without an error"],
  99: ["failed", "Threshold missed", "a threshold of the scenario was missed"],
};
const verdictOf = (code) => VERDICTS[code] ?? ["invalid", "Unknown", "an exit code that this page does not know"];

/** The worst exit code: a lost message counts more than a busy generator. */
function worst(runs) {
  const codes = runs.map((run) => run.verdict.exit_code);
  return [98, 97, 99].find((code) => codes.includes(code)) ?? maxOf(codes);
}

function badge(code) {
  const [css, title] = verdictOf(code);
  return html`<span class="badge ${css}">${title}</span>`;
}

function banner({ runs }) {
  const code = worst(runs);
  const [css, title, about] = verdictOf(code);
  const reasons = runs.flatMap((run, index) => run.verdict.reasons.map((reason) => [index + 1, reason]));
  return html`
    <section class="banner ${css}"><div class="big">${title}</div><div>
      <p>${about}<span class="soft"> · exit code ${code}</span></p>
      ${reasons.length > 0 && html`<ul>${reasons.map(([number, reason]) => html`<li>${runs.length > 1 && html`<b>Run ${number}: </b>`}${reason}</li>`)}</ul>`}
    </div></section>`;
}

const ifAny = (counter, shown) => (run) => (count(run, counter) > 0 ? count(run, shown) : undefined);
const timeOf = (metric, key) => (run) => (run.times[metric]?.corrected.count > 0 ? run.times[metric].corrected[key] : undefined);
const peak = (run) => maxOf(run.series.map((second) => Object.values(second.connected).reduce((a, b) => a + b, 0))) || undefined;
const nodesOf = (run) => maxOf(run.series.map((second) => Object.keys(second.connected).length));
const corrected = () => "corrected";

/** A figure: label, column head, value in a run, text, note for a single run. */
const FIGURES = [
  ["Calls set up", "Calls", ifAny("calls_started", "calls_set_up"), format.number, (run) => `of ${format.count(count(run, "calls_started"))} started`],
  ["Call set-up, median", "Set-up p50", timeOf("call_setup", "p50_us"), format.us, corrected],
  ["Call set-up, p99", "Set-up p99", timeOf("call_setup", "p99_us"), format.us, corrected],
  // Calls connect too, but their set-up says more.
  ["Connect, p99", "Connect p99", (run) => ("call_setup" in run.times ? undefined : timeOf("connect", "p99_us")(run)), format.us, corrected],
  ["Messages sent", "Sent", ifAny("sent", "sent"), format.number, (run) => `${format.number(count(run, "sent") / run.load_s)} per second`],
  ["One way, median", "One way p50", timeOf("one_way", "p50_us"), format.us, corrected],
  ["One way, p99", "One way p99", timeOf("one_way", "p99_us"), format.us, corrected],
  ["Reconnect, p99", "Reconnect p99", timeOf("reconnect", "p99_us"), format.us, (run) => `${format.count(count(run, "reconnects"))} reconnects`],
  ["Bad tokens refused", "Refused", ifAny("abuse_tried", "abuse_refused"), format.number, (run) => `of ${format.count(count(run, "abuse_tried"))} tried`],
  ["Connections, peak", "Peers", peak, format.number, (run) => `on ${nodesOf(run)} ${nodesOf(run) === 1 ? "node" : "nodes"}`],
  ["Per idle connection", "Per idle", (run) => run.costs.kib_per_idle_connection, format.memory, () => "resident memory of the servers"],
  ["CPU per message", "CPU / message", (run) => run.costs.cpu_us_per_message, format.us, () => "of the servers"],
  ["Messages per core", "Sent / core", (run) => run.costs.messages_per_second_per_core, format.number, () => "per second, of the servers"],
];

const measured = (runs, valueOf) => runs.map(valueOf).filter((value) => value !== undefined);

/** The runs by kind of server, in the order of their first runs. */
function byDriver(runs) {
  const groups = new Map();
  for (const run of runs) groups.set(run.driver, [...(groups.get(run.driver) ?? []), run]);
  return [...groups];
}

function oracleTile(runs) {
  const sum = (counter) => runs.reduce((total, run) => total + count(run, counter), 0);
  if (sum("sent") === 0) return "";
  const isClean = runs.every((run) => violations(run) === 0);
  const others = VIOLATIONS.slice(1).filter(([counter], index) => index < 2 || sum(counter) > 0);
  return html`
    <div class="tile ${isClean ? "good" : "bad"}"><div class="label">Violations</div>
      <div class="value">${format.count(sum("lost"))} lost</div>
      <div class="note">${others.map(([counter, label]) => `${format.count(sum(counter))} ${label}`).join(", ")}</div></div>`;
}

function tile(runs, [label, , valueOf, text, note]) {
  const values = measured(runs, valueOf);
  if (values.length === 0) return "";
  const [least, most] = [text(minOf(values)), text(maxOf(values))];
  const below = values.length === 1 ? note(runs[0]) : least === most ? least : `${least} … ${most}`;
  return html`<div class="tile"><div class="label">${label}</div><div class="value">${text(median(values))}</div><div class="note">${below}</div></div>`;
}

/** The tiles, a group for each kind of server. */
function tiles({ runs }) {
  const drivers = byDriver(runs);
  return drivers.map(([driver, some]) => html`
    ${drivers.length > 1 && html`<h3>${format.label(driver, 40)}</h3>`}
    <div class="tiles">${oracleTile(some)}${FIGURES.map((one) => tile(some, one))}</div>
    ${some.length > 1 && html`<p class="hint">Medians of ${some.length} runs; below each the minimum and the maximum.</p>`}`);
}

/** A row for each run; for each kind of server the median, the minimum and the maximum. */
function runsTable({ runs }) {
  const columns = FIGURES.filter(([, , valueOf]) => measured(runs, valueOf).length > 0);
  const drivers = byDriver(runs);
  const startDelay = (run) => run.generator.start_delay_p99_us;
  const cell = (values, text, of = (some) => some[0]) => html`<td class="number">${values.length ? text(of(values)) : NONE}</td>`;
  return html`
    <div class="scroll"><table class="figures">
      <thead><tr><th>Run</th><th>Verdict</th><th class="number">Violations</th><th class="number">Start delay p99</th>
        ${columns.map(([label, head]) => html`<th class="number" title="${label}">${head}</th>`)}</tr></thead>
      ${drivers.map(([driver, some]) => html`<tbody>
        ${some.map((run) => html`<tr>
          <th scope="row">${runs.indexOf(run) + 1} ${drivers.length > 1 && html`<span class="soft">${format.label(driver, 40)}</span>`}</th>
          <td>${badge(run.verdict.exit_code)}</td><td class="number">${format.count(violations(run))}</td>
          ${cell([startDelay(run)], format.us)}${columns.map(([, , valueOf, text]) => cell(measured([run], valueOf), text))}</tr>`)}
        ${some.length > 1 && [["median", median], ["min", minOf], ["max", maxOf]].map(([name, of]) => html`<tr class="summary">
          <th scope="row">${name}</th><td></td><td></td>
          ${cell(some.map(startDelay), format.us, of)}${columns.map(([, , valueOf, text]) => cell(measured(some, valueOf), text, of))}</tr>`)}
      </tbody>`)}
    </table></div>`;
}

/** The runs next to each other: the table, and percentile curves with a line for each run. */
function allRuns({ results, curves }) {
  const { runs } = results;
  const figureOf = (metric) => {
    const lines = runs.slice(0, STYLES).flatMap((run, index) => {
      const curve = curves[index]?.[metric];
      return curve ? [{ name: `${index + 1} ${run.driver}`, nines: curve.nines, us: curve.corrected }] : [];
    });
    const title = METRICS[metric][0];
    return lines.length > 1 && figure(title, "Corrected, one line for each run.", percentileChart(`${title} of all runs by percentile`, lines, LARGE));
  };
  return html`
    <h2>All runs</h2>${runsTable(results)}
    <div class="charts">${["call_setup", "one_way"].map(figureOf)}</div>
    ${runs.length > STYLES && html`<p class="hint">The charts compare the first ${STYLES} runs; the table has all.</p>`}`;
}
