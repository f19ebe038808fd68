// The part of the page that belongs to one run.

/** Faults with a curve, at most; the table has all. */
const MAX_RECOVERY_CURVES = 12;
/** With fewer connections, memory per connection says nothing. */
const MIN_CONNECTIONS = 100;
/** From this share of a core on, the generator may be the bottleneck. */
const BUSY_SHARE = 0.8;

const heads = (...names) => html`<thead><tr>${names.map((name, index) => html`<th class="${index > 0 && name !== "" && "number"}">${name}</th>`)}</tr></thead>`;
const numbers = (...texts) => texts.map((text) => html`<td class="number">${text}</td>`);
const table = (head, rows) => html`<div class="scroll"><table>${head}<tbody>${rows}</tbody></table></div>`;

function thresholds(run) {
  if (run.thresholds.length === 0) return html`<h3>Thresholds</h3><p class="soft">The scenario has none.</p>`;
  return html`<h3>Thresholds</h3>${table(heads("Requirement", "Measured", ""), run.thresholds.map((one) => html`<tr>
    <td><code>${one.text}</code></td>${numbers(one.measured)}
    <td><span class="badge ${one.is_met ? "ok" : "failed"}">${one.is_met ? "met" : "missed"}</span></td></tr>`))}`;
}

function errors(run) {
  const sorted = Object.entries(run.errors).sort((a, b) => b[1] - a[1]);
  if (sorted.length === 0) return html`<h3>Errors</h3><p class="soft">None.</p>`;
  return html`<h3>Errors</h3>${table("", sorted.map(([text, times]) => html`<tr><td>${format.label(text, 200)}</td>${numbers(format.count(times))}</tr>`))}`;
}

function oracle(run) {
  const rows = [
    ["sent", "sent", "messages sent"],
    ["delivered", "delivered", "sends with the outcome “delivered”"],
    ["send_errors", "errors", "sends with an error as outcome: the sender knows that the message is lost"],
    ["arrived", "arrived", "messages that arrived at their receiver"],
    ...VIOLATIONS,
  ];
  const isViolation = (counter) => VIOLATIONS.some(([name]) => name === counter);
  const full = count(run, "oracle_full");
  return html`<h3>Oracle</h3>
    ${full > 0 && html`<p class="warning">The oracle had no room for ${format.count(full)} messages and did not check them.</p>`}
    ${table("", rows.map(([counter, label, about]) => html`<tr class="${isViolation(counter) && count(run, counter) > 0 && "violation"}">
      <th scope="row">${label}</th>${numbers(format.count(count(run, counter)))}<td class="soft">${about}</td></tr>`))}
    ${run.violations.length > 0 && html`<details open><summary>The first violations in detail</summary>
      <ol class="details">${run.violations.map((text) => html`<li><code>${text}</code></li>`)}</ol></details>`}`;
}

function times(run, curves) {
  const shown = Object.keys(METRICS).filter((metric) => curves[metric]);
  if (shown.length === 0) return "";
  const main = shown.filter((metric) => metric === "call_setup" || metric === "one_way");
  const large = main.length ? main : shown.slice(0, 2);
  const draw = (metric, size) => figure(METRICS[metric][0], METRICS[metric][1], metricChart(metric, curves[metric], size));
  const cells = (one) => numbers(format.count(one.count), ...[one.min_us, one.mean_us, one.p50_us, one.p90_us, one.p99_us, one.p999_us, one.max_us].map(format.us));
  return html`<h3>Times by percentile</h3>
    <p class="hint"><b>Corrected</b> times count from the planned start, as users experience them. <b>Uncorrected</b> times count
      from the actual start. Where the curves differ, starts came late: users waited for earlier answers, or the generator was
      busy (see its start delay).</p>
    <div class="charts">${large.map((metric) => draw(metric, LARGE))}</div>
    <div class="charts small">${shown.filter((metric) => !large.includes(metric)).map((metric) => draw(metric, SMALL))}</div>
    ${table(heads("Time", "", "Count", "Min", "Mean", "p50", "p90", "p99", "p99.9", "Max"), shown.map((metric) => html`
      <tr><th scope="row">${METRICS[metric][0]}</th><td>corrected</td>${cells(run.times[metric].corrected)}</tr>
      <tr class="soft"><td></td><td>uncorrected</td>${cells(run.times[metric].uncorrected)}</tr>`))}`;
}

function faults(run) {
  if (run.faults.length === 0) return "";
  const hasCurve = (fault) => fault.curve.length > 1 && fault.connected_min < fault.connected_before;
  const seconds = (value) => (value === null ? NONE : format.seconds(value));
  return html`<h3>Faults</h3>
    ${table(heads("Fault", "At", "Detected after", "All back after", "Connections before", "Minimum after", "Imbalance"), run.faults.map((fault) => html`<tr>
      <th scope="row">${format.label(fault.what, 80)}${fault.error !== null && html`<div class="warning">not done: ${fault.error}</div>`}</th>
      ${numbers(format.seconds(fault.at_s), seconds(fault.detected_s), seconds(fault.reconnected_s), format.count(fault.connected_before),
        format.count(fault.connected_min), fault.imbalance === null ? NONE : `${fault.imbalance.toFixed(2)} ×`)}</tr>`))}
    <p class="hint">Detected: the first lost connection or the first send error. Imbalance: connections of the most loaded node over the
      mean of all nodes; 1.00 is even. A dash: it did not happen before the next fault or the end.</p>
    <div class="charts small">${run.faults.filter(hasCurve).slice(0, MAX_RECOVERY_CURVES).map((fault) => figure(
      `After ${format.label(fault.what, 40)} at ${format.seconds(fault.at_s)}`, "Connections, by seconds since the fault.", recoveryChart(fault)))}</div>`;
}

function servers(run) {
  const perConnection = (server) => (server.connections < MIN_CONNECTIONS
    ? NONE : format.memory(Math.max(0, server.resident_after_kib - server.resident_before_kib) / server.connections));
  return html`
    ${run.servers.length > 0 && html`<h3>Servers</h3>
      ${table(heads("Server", "CPU time", "Cores, mean", "Memory before", "Max", "At the end", "Connections", "Memory per connection"), run.servers.map((server) => html`<tr>
        <th scope="row">${format.label(server.name, 40)}</th>
        ${numbers(format.seconds(server.cpu_s), format.number(server.cpu_s / run.load_s), format.memory(server.resident_before_kib),
          format.memory(server.resident_max_kib), format.memory(server.resident_after_kib), format.count(server.connections), perConnection(server))}</tr>`))}`}
    ${Object.keys(run.costs).length > 0 && table("", Object.entries(run.costs).map(([name, value]) => html`<tr>
      <th scope="row">${COSTS[name] ?? format.key(name)}</th>${numbers(format.number(value))}</tr>`))}
    ${run.servers.filter((server) => Object.keys(server.metrics).length > 0).map((server) => html`<details>
      <summary>Changes of <code>/metrics</code> of ${format.label(server.name, 40)} over the load</summary>
      ${table("", Object.entries(server.metrics).map(([series, change]) => html`<tr><td><code>${series}</code></td>${numbers(format.number(change))}</tr>`))}</details>`)}`;
}

function generator(run, limits) {
  const used = run.generator;
  const isBusy = used.busiest_core_share > BUSY_SHARE;
  const row = (name, value, about, meter) => html`<tr><th scope="row">${name}</th>${numbers(value)}<td>${meter}</td><td class="soft">${about}</td></tr>`;
  const beyond = (limit) => (limit === undefined ? "" : `; invalid beyond ${limit}`);
  const maxDropped = limits.max_dropped === undefined ? undefined : format.percent(limits.max_dropped);
  return html`<h3>Generator</h3>
    ${table("", [
      row("Busiest worker", format.percent(used.busiest_core_share), "of one core", html`<div class="meter ${isBusy && "bad"}">
        <div style="width:${Math.round(Math.min(1, used.busiest_core_share) * 100)}%"></div></div>`),
      row("Start delay, p99", format.us(used.start_delay_p99_us), `99 % of the starts were at most this late${beyond(limits.max_start_delay)}`),
      row("Dropped", format.percent(used.dropped_share), `of the planned starts were not made${beyond(maxDropped)}`),
      row(`${used.workers} ${used.workers === 1 ? "worker" : "workers"}`, format.seconds(used.cpu_s), `of CPU, and at most ${format.memory(used.resident_max_kib)} of memory`),
    ])}
    <p class="hint">${isBusy
      ? "The generator was close to its limit, so the times contain its own delays. Use more workers, or agents on other machines."
      : "The generator had spare capacity, so the times are those of the servers and the network. A worker close to 100 % of a core, or a start delay as large as the times, would spoil them."}</p>`;
}

/** Everything about one run. */
function runSection(run, curves, limits) {
  const panels = timeline(run);
  return html`
    <p class="soft">${format.label(run.driver, 40)} · ${format.seconds(run.load_s)} of load · ${badge(run.verdict.exit_code)}</p>
    <div class="columns"><div>${thresholds(run)}${errors(run)}</div><div>${oracle(run)}</div></div>
    ${times(run, curves)}
    ${panels.length > 0 && html`<h3>Timeline</h3><div class="charts">${panels}</div>`}
    ${faults(run)}${servers(run)}${generator(run, limits)}`;
}
