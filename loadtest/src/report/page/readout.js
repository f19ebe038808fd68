// Shows the values under the pointer of each chart.

function nearest(xs, wanted) {
  let best = 0;
  xs.forEach((x, index) => {
    if (Math.abs(x - wanted) < Math.abs(xs[best] - wanted)) best = index;
  });
  return best;
}

/** The value of a line itself at `x`; undefined if its nearest point is elsewhere. */
function valueAt(chart, line, x) {
  const xs = line.xs ?? chart.xs;
  const index = nearest(xs, x);
  const isNear = Math.abs(xs[index] - x) <= (chart.x.to - chart.x.from) / 100;
  return isNear && Number.isFinite(line.ys[index]) ? line.ys[index] - (line.below?.[index] ?? 0) : undefined;
}

function addReadout(svg, chart) {
  const box = svg.parentElement;
  const frame = frameOf(chart);
  const longest = chart.lines.map((line) => line.xs ?? chart.xs).reduce((a, b) => (b.length > a.length ? b : a), []);
  let cross, readout;

  const leave = () => {
    cross?.remove();
    readout?.remove();
    cross = readout = undefined;
  };

  const move = (event) => {
    const at = svg.getBoundingClientRect();
    const scale = chart.width / at.width;
    const share = ((event.clientX - at.left) * scale - frame.left) / (frame.right - frame.left);
    if (share < -0.02 || share > 1.02 || longest.length === 0) return leave();
    const x = longest[nearest(longest, chart.x.from + share * (chart.x.to - chart.x.from))];
    cross ??= svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "line"));
    const place = { class: "cross", x1: frame.xOf(x), x2: frame.xOf(x), y1: frame.top, y2: frame.bottom };
    for (const [key, value] of Object.entries(place)) cross.setAttribute(key, value);

    readout ??= box.appendChild(document.createElement("div"));
    readout.className = "readout";
    const rows = chart.lines.map((line, index) => [line.name, index % STYLES, valueAt(chart, line, x)]);
    readout.innerHTML = html`
      <div>${UNITS[chart.x.unit].value(x)}</div>
      ${rows.map(([name, style, value]) => value !== undefined && html`
        <div><svg viewBox="0 0 22 8"><line class="line c${style}" x1="1" x2="21" y1="4" y2="4"/></svg>
        <span>${format.label(name, 40)}</span><b>${UNITS[chart.y.unit].value(value)}</b></div>`)}`.text;
    const outer = box.getBoundingClientRect();
    const left = at.left - outer.left + frame.xOf(x) / scale;
    const isRight = left + 16 + readout.offsetWidth > outer.width;
    readout.style.left = `${Math.max(4, isRight ? left - 14 - readout.offsetWidth : left + 14)}px`;
    readout.style.top = `${at.top - outer.top + frame.top / scale}px`;
  };

  svg.addEventListener("pointermove", move);
  svg.addEventListener("pointerdown", move);
  svg.addEventListener("pointerleave", leave);
}
