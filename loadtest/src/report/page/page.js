// The whole page, from the data that it carries: { results, curves, scenario, files }.

/** Runs with a section of their own; the table has all. */
const MAX_RUNS = 20;

function header(results) {
  const load = results.runs.reduce((sum, run) => sum + run.load_s, 0);
  return html`<header>
    <p class="over">Switchboard load test</p><h1>${results.name}</h1>
    ${results.about !== "" && html`<p class="about">${results.about}</p>`}
    <p class="soft">${format.moment(results.started_unix_ms)} · ${format.seconds(load)} of load
      ${results.runs.length !== 1 && `in ${results.runs.length} runs`}
      ${results.environment.commit && html`· commit <code>${results.environment.commit}</code>`}</p></header>`;
}

/** A section for each run, behind tabs if there are several. */
function runSections({ results, curves }) {
  const limits = results.scenario?.generator ?? {};
  const sections = results.runs.slice(0, MAX_RUNS).map((run, index) => runSection(run, curves[index] ?? {}, limits));
  if (sections.length === 0) return html`<p class="warning">The results have no run.</p>`;
  if (sections.length === 1) return sections;
  const tabs = results.runs.slice(0, MAX_RUNS).map(({ verdict }, index) => html`
    <input type="radio" name="run" id="run${index + 1}" ${index === 0 && "checked"}>
    <label for="run${index + 1}">Run ${index + 1} ${verdict.exit_code !== 0 && html`<span class="alert" title="${verdictOf(verdict.exit_code)[1]}">!</span>`}</label>`);
  return html`
    <style>${sections.map((_, index) => `#run${index + 1}:checked~.run${index + 1}{display:block}`)}</style>
    <div class="tabs">${tabs}
      ${sections.map((section, index) => html`<section class="run run${index + 1}"><h2 class="print">Run ${index + 1}</h2>${section}</section>`)}</div>
    ${results.runs.length > MAX_RUNS && html`<p class="hint">Runs beyond the first ${MAX_RUNS} are in the table above and in the files next to this page.</p>`}`;
}

function environment({ environment: it }) {
  const fact = (name, value, more) => html`<dt>${name}</dt><dd>${value} <span class="soft">${more}</span></dd>`;
  return html`<h2>Environment</h2>
    <dl class="facts">
      ${fact("Load generator", it.version, it.commit ?? "unknown commit")}
      ${fact("Processor", it.cpu, `${it.cores} cores usable`)}
      ${fact("Memory", format.memory(it.memory_mib * 1024))}
      ${fact("Kernel", it.kernel)}
      ${fact("Open files", format.count(it.open_files_limit), "per process")}
      ${Object.entries(it.servers).map(([server, version]) => fact(server, version))}</dl>
    ${it.notes.length > 0 && html`<h3>Notes</h3><ul>${it.notes.map((note) => html`<li>${note}</li>`)}</ul>`}`;
}

/** The body of the page. */
function page(data) {
  const { results } = data;
  return html`
    ${header(results)}${banner(results)}${tiles(results)}
    ${results.runs.length > 1 && allRuns(data)}
    <h2>${results.runs.length > 1 ? "Run by run" : "The run"}</h2>${runSections(data)}
    ${environment(results)}
    <details><summary>The scenario as it was run</summary><pre><code>${data.scenario}</code></pre></details>
    <p class="hint">Next to this page: ${data.files.map((name, index) => html`${index > 0 && ", "}<a href="${name}">${name}</a>`)}</p>`;
}

/** Two charts of the first run for documents, as one SVG file: percentiles, and the main times over the run. */
function picture({ results, curves }, style) {
  const [run] = results.runs;
  const known = Object.keys(METRICS).filter((metric) => curves[0]?.[metric]);
  const main = known.filter((metric) => metric === "call_setup" || metric === "one_way");
  const chosen = main.length ? main : known.slice(0, 1);
  const size = { width: 560, height: 280 };
  const lines = chosen.map((metric) => ({ name: METRICS[metric][0], nines: curves[0][metric].nines, us: curves[0][metric].corrected }));
  const drawn = chosen.length === 0 ? [] : [
    ["Times by percentile, corrected", percentileChart("", lines, size)],
    [`${METRICS[chosen[0]][0]} over the run`, timesOverRun(run, chosen[0], size)],
  ];
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="1168" height="340" viewBox="0 0 1168 340" role="img" aria-label="Load test ${results.name}: times by percentile and over the run">
    <style>${new Html(style)}</style><rect class="card" width="1168" height="340" rx="10"/>
    ${drawn.map(([title, chart], index) => html`
      <text class="title" x="${24 + 576 * index}" y="30">${title}</text>
      <g class="chart" transform="translate(${16 + 576 * index} 44)">${drawInside(chart)}</g>`)}</svg>\n`.text;
}

if (typeof document !== "undefined") {
  const data = JSON.parse(document.getElementById("data").textContent);
  document.title = `${data.results.name} – load test report`;
  document.querySelector("main").innerHTML = page(data).text;
  for (const svg of document.querySelectorAll("svg[data-chart]")) addReadout(svg, charts[svg.dataset.chart]);
}
