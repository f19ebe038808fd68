// @ts-check
/** One small plot: a name, the newest figure, and the line of the last minute. */
import { make, makeSvg } from '../ui/dom.js';

const WIDTH = 120;
const HEIGHT = 30;
/** As many samples as the plot is wide. */
const SAMPLES = 60;

/** @param {string} name @param {(value: number) => string} format */
export function makePlot(name, format) {
  const value = make('dd');
  const line = makeSvg('polyline', { class: 'plot-line' });
  const area = makeSvg('polygon', { class: 'plot-area' });
  const picture = makeSvg('svg', { class: 'plot', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, area, line);
  const element = make('div', { className: 'plot-box' }, make('dt', {}, name), value, picture);
  /** @param {number[]} values the newest one last */
  const update = (values) => {
    const most = Math.max(...values, Number.MIN_VALUE);
    const x = (/** @type {number} */ index) => WIDTH - ((values.length - 1 - index) * WIDTH) / (SAMPLES - 1);
    const points = values.map((each, index) => `${x(index).toFixed(1)},${(HEIGHT - 2 - (each / most) * (HEIGHT - 5)).toFixed(1)}`);
    line.setAttribute('points', points.join(' '));
    area.setAttribute('points', [`${x(0).toFixed(1)},${HEIGHT}`, ...points, `${WIDTH},${HEIGHT}`].join(' '));
    value.textContent = values.length ? format(/** @type {number} */ (values.at(-1))) : '–';
  };
  return Object.assign(element, { update });
}
