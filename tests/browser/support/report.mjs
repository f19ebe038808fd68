// The page of the load generator's report, put together as the program does it, with a recorded load.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import vm from 'node:vm';

const read = (name) => readFileSync(new URL(`../../../loadtest/src/report/${name}`, import.meta.url), 'utf8');
const SCRIPT = ['html', 'format', 'axis', 'chart', 'timeline', 'summary', 'run', 'readout', 'page'].map((name) => read(`page/${name}.js`)).join('');
const STYLE = ['palette', 'chart', 'page'].map((name) => read(`page/${name}.css`)).join('');

/** The recorded load with curves through the percentiles of its tables. */
export function exampleData() {
  const results = JSON.parse(read('example.json'));
  const curveOf = ({ corrected, uncorrected }) => {
    const us = (of) => [of.min_us, of.p50_us, of.p90_us, of.p99_us, of.max_us];
    return { nines: [0, 0.301, 1, 2, 3], corrected: us(corrected), uncorrected: us(uncorrected) };
  };
  const curvesOf = (run) => Object.fromEntries(Object.entries(run.times).map(([metric, times]) => [metric, curveOf(times)]));
  return { results, curves: results.runs.map(curvesOf), scenario: 'name = "example"', files: ['results.json'] };
}

/** The functions of the page's script, without a browser. */
export function pageFunctions() {
  return vm.runInNewContext(`${SCRIPT}; ({ format, zeroAxis, logAxis, ninesAxis, UNITS, drawInside, timelineChart, timesOverRun, linesByName, stacked, piecesOf, recoveryChart, page, picture, html })`);
}

/** The page as a file; removed after the test. */
export function pageFile(t, data) {
  const parts = {
    'script-hash': createHash('sha256').update(SCRIPT).digest('base64'),
    style: STYLE,
    script: SCRIPT,
    data: JSON.stringify(data).replaceAll('<', '\\u003c'),
  };
  const folder = mkdtempSync(path.join(tmpdir(), 'report-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'report.html');
  writeFileSync(file, read('page/page.html').replace(/\{\{([\w-]+)\}\}/g, (_, name) => parts[name]));
  return `file://${file}`;
}
