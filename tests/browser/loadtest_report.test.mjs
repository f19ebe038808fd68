// The page of the load generator's report: its figures and charts, and the page itself in a browser.
import assert from 'node:assert/strict';
import test from 'node:test';
import { newWindow, openPage, screenshot, startBrowser, withTools } from './support/browser.mjs';
import { exampleData, pageFile, pageFunctions } from './support/report.mjs';

const { format, zeroAxis, logAxis, ninesAxis, UNITS, drawInside, timesOverRun, linesByName, stacked, piecesOf, recoveryChart, page, picture } = pageFunctions();
const list = (values) => Array.from(values);
const ticks = (axis) => list(axis.ticks.map((tick) => UNITS[axis.unit].tick(tick)));
const chartOf = (lines, more = {}) => ({ about: '', x: zeroAxis('seconds', 3), y: zeroAxis('count', 10), xs: [0, 1, 2, 3], lines, width: 560, height: 260, ...more });
const matches = (text, pattern) => [...String(text).matchAll(pattern)].length;

test('figures are shown in the unit that suits them', () => {
  for (const [shown, expected] of [
    [format.us(0.5), '0.50 µs'],
    [format.us(999.7), '1.00 ms'],
    [format.us(38_240), '38.2 ms'],
    [format.us(NaN), '–'],
    [format.usTick(2_000_000), '2 s'],
    [format.seconds(185.2), '3 min 05 s'],
    [format.count(1_234_567), '1,234,567'],
    [format.number(0.5), '0.5'],
    [format.numberTick(15_000), '15k'],
    [format.percent(0.385), '38.5 %'],
    [format.memory(2048), '2.00 MiB'],
    [format.moment(0), '1970-01-01 00:00:00 UTC'],
    [format.moment(Number.MAX_SAFE_INTEGER), '9999-12-31 23:59:59 UTC'],
    [format.key('cpu_us_per_message'), 'CPU µs per message'],
    [format.label('node-name', 6), 'node-…'],
    [format.at(-0), '0 s'],
    [format.at(-5), '−5 s'],
  ]) assert.equal(shown, expected);
});

test('axes have round ends and few ticks', () => {
  for (const [axis, expected] of [
    [zeroAxis('count', 870), ['0', '200', '400', '600', '800', '1,000']],
    [zeroAxis('cores', 0), ['0', '0.2', '0.4', '0.6', '0.8', '1']],
    [logAxis('us', 1_500, 38_000), ['1 ms', '2 ms', '5 ms', '10 ms', '20 ms', '50 ms']],
    [logAxis('us', 150, 2_800_000), ['100 µs', '1 ms', '10 ms', '100 ms', '1 s']],
    [ninesAxis(20_000), ['50 %', '90 %', '99 %', '99.9 %', '99.99 %']],
    [ninesAxis(0), ['50 %', '90 %']],
  ]) assert.deepEqual(ticks(axis), expected);
  for (const [min, max] of [[0, 0], [NaN, NaN], [Infinity, 0]]) {
    const axis = logAxis('us', min, max);
    assert.ok(axis.ticks.every((tick) => axis.place(tick) >= 0 && axis.place(tick) <= 1), `${min} ${max}`);
  }
});

test('a hole in the values is a hole in the line, and a lone point is a dot', () => {
  const drawn = drawInside(chartOf([{ name: 'a', ys: [1, 2, null, 4] }])).text;
  const [, path] = drawn.match(/<path class="line c0" d="([^"]*)"/);
  assert.equal(path.match(/[ML]/g).join(''), 'ML');
  assert.equal(matches(drawn, /<circle/g), 1);
});

test('labels that would overlap get lanes, and keep their lines without one', () => {
  const marks = [0, 1, 2, 3, 4, 5].map((index) => ({ at: 1 + index / 100, label: 'roll n1' }));
  const drawn = drawInside(chartOf([{ name: 'a', ys: [1, 2, 3, 4] }], { marks })).text;
  assert.equal(matches(drawn, /class="mark"/g), 6);
  assert.equal(matches(drawn, /class="mark-label"/g), 3);
});

test('long runs keep a bounded number of points, and their peaks', () => {
  const { results: { runs: [run] } } = exampleData();
  const second = run.series.find(({ times }) => times.one_way);
  run.series = Array.from({ length: 3_601 }, (_, at_s) => structuredClone({ ...second, at_s }));
  run.series[1_000].times.one_way.p99_us = 9e6;
  const chart = timesOverRun(run, 'one_way', { width: 560, height: 260 });
  assert.ok(chart.xs.length <= 600);
  assert.ok(chart.lines[1].ys.includes(9e6));
  const fault = { what: 'kill n1', detected_s: null, reconnected_s: null, connected_before: 100 };
  fault.curve = Array.from({ length: 5_000 }, (_, tenth) => [tenth / 10, tenth === 4_321 ? 7 : 100]);
  const recovery = recoveryChart(fault);
  assert.ok(recovery.xs.length <= 600 && recovery.lines[0].ys.includes(7));
});

test('a second without a measurement is a hole and no zero, and the end of the load is shown', () => {
  const { results: { runs: [run] } } = exampleData();
  run.series.at(-1).server_cores = {};
  const lines = linesByName(run, piecesOf(run), (second) => second.server_cores, null);
  assert.ok(lines.length > 0 && lines.every(({ ys }) => ys.at(-1) === null && ys.at(-2) !== null));
  run.load_s = run.series.at(-1).at_s - 3;
  const chart = timesOverRun(run, 'one_way', { width: 560, height: 260 });
  assert.deepEqual({ ...chart.marks.at(-1) }, { at: run.load_s, label: 'load ends' });
});

test('the smaller of many nodes are summed up, on top of the others', () => {
  const { results: { runs: [run] } } = exampleData();
  for (const second of run.series) second.connected = Object.fromEntries(Array.from({ length: 20 }, (_, node) => [`n${node}`, node + 1]));
  const lines = stacked(linesByName(run, piecesOf(run), (second) => second.connected));
  assert.equal(lines.length, 6);
  // 1 to 15 together, on top of 16 to 20.
  assert.deepEqual([lines[5].ys[0], lines[5].below[0]], [210, 90]);
});

test('names from outside are escaped wherever they are shown', () => {
  const data = exampleData();
  const evil = '<script>alert(1)</script>" onload="x';
  const { results, scenario } = data;
  Object.assign(results, { name: evil, about: evil });
  results.environment.notes.push(evil);
  data.scenario += evil + scenario;
  const [run] = results.runs;
  Object.assign(run, { driver: evil, violations: [evil] });
  run.errors[evil] = 1;
  run.faults[0].what = evil;
  run.faults[0].error = evil;
  run.verdict.reasons.push(evil);
  run.thresholds.push({ text: evil, measured: evil, is_met: false });
  run.series[0].connected[evil] = 7;
  run.series[0].server_cores[evil] = 7;
  run.servers[0].metrics[evil] = 1;
  const text = page(data).text;
  assert.ok(text.includes('&#60;script&#62;'));
  assert.ok(!text.includes('<script') && !text.includes('" onload="'));
  assert.ok(!picture(data, '').includes('<script'));
});

test('a violation in one run, a missed threshold and a busy generator are said', () => {
  const data = exampleData();
  const [first, second] = data.results.runs;
  second.counts.lost = 1;
  second.verdict = { exit_code: 98, reasons: ['lost: 1'] };
  first.verdict = { exit_code: 99, reasons: [] };
  first.thresholds[0].is_met = false;
  first.generator.busiest_core_share = 0.97;
  const text = page(data).text;
  for (const part of ['exit code 98', '<b>Run 2: </b>lost: 1', 'class="tile bad"', '1 lost', '>missed<', 'close to its limit', '>median</th>']) {
    assert.ok(text.includes(part), part);
  }
});

test('results without any measurement make a page and a picture', () => {
  const data = exampleData();
  const empty = { driver: '', load_s: 0, counts: {}, times: {}, errors: {}, series: [], faults: [], servers: [], costs: {}, violations: [], thresholds: [], verdict: { exit_code: 0, reasons: [] } };
  empty.generator = { workers: 0, cpu_s: 0, busiest_core_share: 0, resident_max_kib: 0, start_delay_p99_us: 0, dropped_share: 0 };
  data.results.runs = [empty];
  data.curves = [{}];
  assert.ok(page(data).text.includes('Passed'));
  data.results.runs = [];
  data.curves = [];
  assert.ok(page(data).text.includes('no run'));
  assert.ok(!picture(data, '').includes('<path'));
});

test('the page opens from a file, draws its charts, switches runs and reads values off', withTools, async (t) => {
  const browser = await startBrowser(t);
  for (const colorScheme of ['light', 'dark']) {
    const context = await newWindow(browser, { colorScheme });
    const opened = await openPage(context, pageFile(t, exampleData()));
    await opened.getByRole('heading', { name: 'All runs' }).waitFor();
    assert.match(await opened.title(), /load test report/);
    assert.equal(await opened.locator('section.run:visible').count(), 1);
    await opened.getByText('Run 2', { exact: true }).first().click();
    const chart = opened.locator('section.run2 svg.chart').first();
    await chart.hover({ position: { x: 200, y: 100 } });
    assert.match(await opened.locator('.readout').innerText(), /%[^]*(µs|ms|s)/);
    await screenshot(opened, `loadtest-report-${colorScheme}`);
    assert.deepEqual(opened.errors, []);
    await context.close();
  }
});
