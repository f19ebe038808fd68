// Axes: from a value to its place (0 to 1), and the ticks with their labels.

/** Ticks on an even axis, about. */
const TICKS = 5;
/** With more ticks than this, a logarithmic axis keeps only powers of ten and far ends. */
const MAX_LOG_TICKS = 7;
/** Nines on a percentile axis, at most: 99.9999 %. */
const MAX_NINES = 6;

/** How values of a unit are labelled on an axis, and read off a chart. */
const UNITS = {
  us: { tick: format.usTick, value: format.us },
  count: { tick: format.numberTick, value: format.number },
  cores: { tick: format.numberTick, value: format.cores },
  seconds: { tick: format.at, value: format.at },
  nines: { tick: (nines) => format.nines(nines, -2), value: (nines) => format.nines(nines, 0) },
};

/** The step of 1, 2 or 5 times a power of ten that makes about TICKS of a length. */
function stepFor(length) {
  const power = 10 ** Math.floor(Math.log10(length / TICKS));
  const digit = length / TICKS / power;
  return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

function evenAxis(unit, from, to, step) {
  const ticks = [];
  // Adding 0 turns −0 into 0.
  for (let index = Math.ceil(from / step - 1e-9); index * step <= to * (1 + 1e-9) + 1e-12; index += 1) ticks.push(index * step + 0);
  return { unit, from, to, ticks, place: (value) => Math.min(1, Math.max(0, (value - from) / (to - from))) };
}

/** From zero to at least `max`, with a tick at both ends. */
function zeroAxis(unit, max) {
  const top = Number.isFinite(max) && max > 0 ? max : 1;
  const step = unit === "count" ? Math.max(1, stepFor(top)) : stepFor(top);
  return evenAxis(unit, 0, Math.ceil(top / step - 1e-9) * step, step);
}

/** Exactly from `from` to `to`. */
function spanAxis(unit, from, to) {
  const end = to > from ? to : from + 1;
  return evenAxis(unit, from, end, stepFor(end - from));
}

/** Logarithmic, with ends at 1, 2 or 5 times a power of ten. */
function logAxis(unit, min, max) {
  const least = Number.isFinite(min) ? Math.max(min, 0.1) : 1;
  const most = Number.isFinite(max) ? Math.max(max, least * 2) : least * 10;
  const all = [];
  for (let decade = Math.floor(Math.log10(least)); decade <= Math.ceil(Math.log10(most)); decade += 1) {
    for (const digit of [1, 2, 5]) all.push(digit * 10 ** decade);
  }
  const from = all.findLast((tick) => tick <= least * 1.001) ?? least;
  const to = all.find((tick) => tick >= most * 0.999) ?? most;
  let ticks = all.filter((tick) => tick >= from * 0.999 && tick <= to * 1.001);
  if (ticks.length > MAX_LOG_TICKS) {
    const room = Math.log10(to / from) * 0.1;
    const toPower = (tick) => Math.abs(Math.log10(tick) - Math.round(Math.log10(tick)));
    ticks = ticks.filter((tick) => toPower(tick) < 1e-9 || ((tick === from || tick === to) && toPower(tick) > room));
  }
  const place = (value) => Math.min(1, Math.log10(Math.max(value, from) / from) / Math.log10(to / from));
  return { unit, from, to, ticks, place };
}

/** Percentiles that so many values can tell apart; each nine takes equal room. */
function ninesAxis(count) {
  const to = Math.min(MAX_NINES, Math.log10(Math.max(10, count)));
  const ticks = [-Math.log10(0.5)];
  for (let nines = 1; nines <= to + 1e-9; nines += 1) ticks.push(nines);
  return { unit: "nines", from: 0, to, ticks, place: (value) => Math.min(1, Math.max(0, value / to)) };
}
