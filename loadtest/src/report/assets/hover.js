// Reads the values under the pointer off a chart. The page is complete without it.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const digits = (value) => (value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2));
  const micros = (us) => (us < 999.5 ? `${digits(us)} µs` : us < 999500 ? `${digits(us / 1e3)} ms` : `${digits(us / 1e6)} s`);
  const count = (value) => (value >= 999.5 || Number.isInteger(value) ? Math.round(value).toLocaleString("en") : digits(value));
  const nines = (value) => `${((1 - 10 ** -value) * 100).toFixed(Math.max(1, Math.ceil(value)))} %`;
  const text = { us: micros, count, cores: (value) => value.toFixed(2), s: (value) => `${Math.round(value * 10) / 10} s`, nines };

  const nearest = (xs, wanted) => {
    let best = 0;
    xs.forEach((x, index) => {
      if (Math.abs(x - wanted) < Math.abs(xs[best] - wanted)) best = index;
    });
    return best;
  };

  const element = (parent, name, attributes) => {
    const made = parent.appendChild(document.createElementNS(SVG, name));
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };

  for (const chart of document.querySelectorAll("svg.chart[data-chart]")) {
    const data = JSON.parse(chart.dataset.chart);
    const figure = chart.parentElement;
    let cross, readout;

    const leave = () => {
      cross?.remove();
      readout?.remove();
      cross = readout = undefined;
    };

    const move = (event) => {
      const box = chart.getBoundingClientRect();
      const scale = chart.viewBox.baseVal.width / box.width;
      const share = ((event.clientX - box.left) * scale - data.left) / (data.right - data.left);
      if (share < -0.02 || share > 1.02 || data.xs.length === 0) return leave();
      const index = nearest(data.xs, data.from + share * (data.to - data.from));
      const x = data.left + ((data.xs[index] - data.from) / (data.to - data.from)) * (data.right - data.left);
      cross ??= element(chart, "line", { class: "cross", y1: data.top, y2: data.bottom });
      cross.setAttribute("x1", x);
      cross.setAttribute("x2", x);

      if (!readout) {
        readout = figure.appendChild(document.createElement("div"));
        readout.className = "readout";
      }
      readout.replaceChildren();
      readout.appendChild(document.createElement("div")).textContent = text[data.x](data.xs[index]);
      for (const line of data.lines) {
        const value = line.values[index];
        if (value === null || value === undefined) continue;
        const row = readout.appendChild(document.createElement("div"));
        const swatch = element(row, "svg", { viewBox: "0 0 22 8" });
        element(swatch, "line", { class: `line c${line.style}`, x1: 1, x2: 21, y1: 4, y2: 4 });
        row.appendChild(document.createElement("span")).textContent = line.name;
        row.appendChild(document.createElement("b")).textContent = text[data.y](value);
      }
      const outer = figure.getBoundingClientRect();
      const at = box.left - outer.left + x / scale;
      const isLeft = at + 16 + readout.offsetWidth > outer.width;
      readout.style.left = `${Math.max(4, isLeft ? at - 14 - readout.offsetWidth : at + 14)}px`;
      readout.style.top = `${box.top - outer.top + data.top / scale}px`;
    };

    chart.addEventListener("pointermove", move);
    chart.addEventListener("pointerdown", move);
    chart.addEventListener("pointerleave", leave);
  }
})();
