// Line charts as SVG text: axes, lines, legend, labelled marks. What the lines mean is up to the callers.
//
// A chart is { about, x, y, xs, lines: [{ name, ys, xs?, below?, filled? }], marks: [{ at, label }], width, height }.
// `ys` may have holes (null). A line with `below` stands on other lines; its own value is the difference.

/** Lines with distinct colours and dashes. */
const STYLES = 6;
const LARGE = { width: 560, height: 260 };
const SMALL = { width: 380, height: 210 };
const MARGIN = { left: 58, right: 16, bottom: 26 };
/** Width of a letter and height of a row of text, in pixels. */
const LETTER = 6.4;
const ROW = 17;
const MAX_LEGEND_ROWS = 3;
const MAX_LANES = 3;
const MAX_MARKS = 40;

const px = (value) => value.toFixed(1);

/** Where the names of the legend stand; names beyond the last row are left out. */
function legendPlaces(chart) {
  const places = [];
  let [x, row] = [MARGIN.left, 0];
  for (const { name } of chart.lines) {
    const width = 46 + LETTER * Math.min(name.length, 28);
    if (x + width > chart.width && x > MARGIN.left) [x, row] = [MARGIN.left, row + 1];
    if (row === MAX_LEGEND_ROWS) break;
    places.push({ x, row });
    x += width;
  }
  return places;
}

/** Where marks and their labels stand. A label that overlaps goes to the next lane; without a free lane it is left out. */
function markPlaces(chart) {
  const ends = Array(MAX_LANES).fill(-Infinity);
  return (chart.marks ?? []).slice(0, MAX_MARKS).map((mark) => {
    const x = MARGIN.left + chart.x.place(mark.at) * (chart.width - MARGIN.left - MARGIN.right);
    const label = format.label(mark.label, 24);
    const length = label.length * LETTER;
    const start = Math.min(x + 4, chart.width - length - 2);
    const lane = ends.findIndex((end) => end + 8 <= start);
    if (lane >= 0) ends[lane] = start + length;
    return { x, label, start, lane };
  });
}

/** The drawing area, in pixels. */
function frameOf(chart) {
  const places = legendPlaces(chart);
  const lanesTop = 8 + ROW * (places.length ? places.at(-1).row + 1 : 0);
  const lanes = Math.max(0, ...markPlaces(chart).map((mark) => mark.lane + 1));
  const frame = {
    left: MARGIN.left,
    right: chart.width - MARGIN.right,
    top: lanesTop + lanes * 15 + 4,
    bottom: chart.height - MARGIN.bottom,
    lanesTop,
  };
  frame.xOf = (value) => frame.left + chart.x.place(value) * (frame.right - frame.left);
  frame.yOf = (value) => frame.bottom - chart.y.place(value) * (frame.bottom - frame.top);
  return frame;
}

/** The points of a line in stretches without a hole: [x, y, y of the lower edge], in pixels. */
function stretches(chart, line, frame) {
  const found = [[]];
  (line.xs ?? chart.xs).forEach((x, index) => {
    const y = line.ys[index];
    if (Number.isFinite(y)) {
      const below = line.below ? frame.yOf(line.below[index]) : frame.bottom;
      found.at(-1).push([frame.xOf(x), frame.yOf(y), below]);
    } else if (found.at(-1).length) found.push([]);
  });
  return found.filter((stretch) => stretch.length);
}

const pathOf = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${px(x)} ${px(y)}`).join("");

const linePath = (parts) => parts.filter((part) => part.length > 1).map(pathOf).join("");

const areaPath = (parts) => parts.map((part) => `${pathOf([...part, ...part.map(([x, , below]) => [x, below]).reverse()])}Z`).join("");

/** The inside of a chart, for an `svg` or a `g` element. */
function drawInside(chart) {
  const frame = frameOf(chart);
  const style = (index) => `c${index % STYLES}`;
  const lines = chart.lines.map((line, index) => ({ line, css: style(index), parts: stretches(chart, line, frame) }));
  return html`
    ${legendPlaces(chart).map(({ x, row }, index) => html`
      <line class="line ${style(index)}" x1="${x}" x2="${x + 22}" y1="${12 + ROW * row}" y2="${12 + ROW * row}"/>
      <text class="name" x="${x + 28}" y="${12 + ROW * row}" dy=".34em">${format.label(chart.lines[index].name, 28)}</text>`)}
    ${chart.y.ticks.map((tick) => html`
      <line class="grid" x1="${frame.left}" x2="${frame.right}" y1="${px(frame.yOf(tick))}" y2="${px(frame.yOf(tick))}"/>
      <text class="tick" x="${frame.left - 8}" y="${px(frame.yOf(tick))}" dy=".32em" text-anchor="end">${UNITS[chart.y.unit].tick(tick)}</text>`)}
    ${chart.x.ticks.map((tick) => html`
      <line class="notch" x1="${px(frame.xOf(tick))}" x2="${px(frame.xOf(tick))}" y1="${frame.bottom}" y2="${frame.bottom + 4}"/>
      <text class="tick" x="${px(frame.xOf(tick))}" y="${frame.bottom + 17}" text-anchor="middle">${UNITS[chart.x.unit].tick(tick)}</text>`)}
    <line class="base" x1="${frame.left}" x2="${frame.right}" y1="${frame.bottom}" y2="${frame.bottom}"/>
    ${lines.map(({ line, css, parts }) => line.filled && html`<path class="area ${css}" d="${areaPath(parts)}"/>`)}
    ${markPlaces(chart).map(({ x, label, start, lane }) => {
      const top = lane < 0 ? frame.top : frame.lanesTop + lane * 15;
      return html`
        <line class="mark" x1="${px(x)}" x2="${px(x)}" y1="${px(top)}" y2="${frame.bottom}"/>
        ${lane >= 0 && html`<text class="mark-label" x="${px(start)}" y="${px(top + 9)}">${label}</text>`}`;
    })}
    ${lines.map(({ css, parts }) => html`
      <path class="line ${css}" d="${linePath(parts)}"/>
      ${parts.filter((part) => part.length === 1).map(([[x, y]]) => html`<circle class="dot ${css}" cx="${px(x)}" cy="${px(y)}" r="2.6"/>`)}`)}`;
}

/** Charts on the page, in their order; the readout finds them by index. */
const charts = [];

/** A chart with its title and a sentence on how to read it. */
function figure(title, hint, chart) {
  charts.push(chart);
  return html`
    <figure>
      <figcaption><b>${title}</b> <span class="soft">${hint}</span></figcaption>
      <svg class="chart" viewBox="0 0 ${chart.width} ${chart.height}" role="img" aria-label="${chart.about}" data-chart="${charts.length - 1}">${drawInside(chart)}</svg>
    </figure>`;
}
