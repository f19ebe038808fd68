// @ts-check
/** The connection panel of a call: for each other person the path, the node, and plots of what `stats` measures. */
import { byId, make, showList } from '../ui/dom.js';
import { bitRate, milliseconds } from '../ui/format.js';
import { makePlot } from './plot.js';

/** @typedef {import('../call/leg.js').Leg} Leg */
/** @typedef {import('../vendor/sdk.js').CallStats} CallStats */

/** @type {[name: string, format: (value: number) => string, read: (now: CallStats, before: CallStats | undefined) => number][]} */
const PLOTS = [
  ['Round trip', milliseconds, ({ rtt_ms }) => rtt_ms],
  ['Jitter', milliseconds, (now) => Math.max(0, ...flows(now, 'in').map(({ jitter_ms }) => jitter_ms))],
  ['Received', bitRate, (now) => total(flows(now, 'in').map(({ bits_per_second }) => bits_per_second))],
  ['Sent', bitRate, (now) => total(flows(now, 'out').map(({ bits_per_second }) => bits_per_second))],
  ['Lost', (packets) => `${packets} packets/s`, (now, before) => Math.max(0, lost(now) - lost(before ?? now))],
  ['Picture', (rate) => `${Math.round(rate)} frames/s`, (now) => Math.max(0, ...flows(now, 'in').map(({ frames_per_second }) => frames_per_second))],
];

/** @param {CallStats} stats @param {'in' | 'out'} wanted */
const flows = (stats, wanted) => stats.flows.filter(({ direction }) => direction === wanted);
/** @param {number[]} values */
const total = (values) => values.reduce((sum, value) => sum + value, 0);
/** @param {CallStats} stats */
const lost = (stats) => total(flows(stats, 'in').map((flow) => flow.lost));

/** @param {Leg[]} legs @param {(peer: string) => {name: string, node: string}} describe */
export function showConnections(legs, describe) {
  byId('no-connection').hidden = legs.length > 0;
  showList(byId('connections'), legs, ({ peer }) => peer, create, (element, leg) => {
    const { name, node } = describe(leg.peer);
    element.show(leg, name, node);
  });
}

function create() {
  const name = make('h3');
  const facts = {
    path: make('dd', { className: 'fact-path' }, '–'),
    state: make('dd', { className: 'fact-state' }),
    node: make('dd', {}),
  };
  const plots = PLOTS.map(([title, format]) => makePlot(title, format));
  const element = make(
    'section',
    { className: 'connection' },
    name,
    make(
      'dl',
      { className: 'facts' },
      make('div', {}, make('dt', {}, 'Path'), facts.path),
      make('div', {}, make('dt', {}, 'State'), facts.state),
      make('div', {}, make('dt', {}, 'Their node'), facts.node),
    ),
    make('dl', { className: 'plots' }, ...plots),
  );
  /** @param {Leg} leg @param {string} who @param {string} node */
  const show = (leg, who, node) => {
    name.textContent = who;
    facts.state.textContent = leg.connection;
    facts.state.dataset.tone = leg.isConnected ? 'good' : leg.connection === 'failed' ? 'bad' : 'wait';
    facts.node.textContent = node || '–';
    const path = leg.samples.at(-1)?.path;
    if (path) facts.path.textContent = `${path.local} → ${path.remote}, ${path.protocol}`;
    PLOTS.forEach(([, , read], index) => plots[index]?.update(leg.samples.map((sample, at) => read(sample, leg.samples[at - 1]))));
  };
  return Object.assign(element, { show });
}
