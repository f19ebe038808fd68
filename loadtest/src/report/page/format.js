// Figures and names as people read them: `38.2 ms`, `1,234,567`, `Call set-up`.

const NONE = "–";

/** Three significant digits; none behind the point from 100 on. */
const threeDigits = (value) => value.toFixed(Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2);

/** The same without zeros at the end. */
const shortDigits = (value) => String(Number(threeDigits(value)));

function timeParts(us) {
  if (us < 999.5) return [us, "µs"];
  return us < 999500 ? [us / 1e3, "ms"] : [us / 1e6, "s"];
}

const format = {
  /** A time in microseconds. */
  us(us) {
    if (!Number.isFinite(us)) return NONE;
    const [value, unit] = timeParts(us);
    return `${threeDigits(value)} ${unit}`;
  },
  /** The same as an axis label. */
  usTick(us) {
    const [value, unit] = timeParts(us);
    return `${shortDigits(value)} ${unit}`;
  },
  /** A time in seconds. */
  seconds(seconds) {
    if (!Number.isFinite(seconds)) return NONE;
    if (seconds < 120) return format.us(seconds * 1e6);
    const whole = Math.round(seconds);
    return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  },
  /** A moment on a time axis in seconds; negative during the ramp. */
  at: (seconds) => `${shortDigits(Math.round(seconds * 10) / 10).replace("-", "−")} s`,
  /** A whole number, in groups of three digits. */
  count: (value) => Math.round(value ?? 0).toLocaleString("en-US"),
  /** A number that may have a fraction: 0.52, 12.3, 4,567. */
  number(value) {
    if (!Number.isFinite(value)) return NONE;
    return value >= 999.5 ? format.count(value) : shortDigits(value);
  },
  /** The same as an axis label: 250, 10k, 2M. */
  numberTick(value) {
    if (value >= 1e6) return `${shortDigits(value / 1e6)}M`;
    return value >= 1e4 ? `${shortDigits(value / 1e3)}k` : format.number(value);
  },
  cores: (value) => value.toFixed(2),
  percent: (share) => (Number.isFinite(share) ? `${shortDigits(share * 100)} %` : NONE),
  /** A percentile by its nines: 1 is 90 %, 2 is 99 %; with `more` decimals than nines. */
  nines: (nines, more) => `${((1 - 10 ** -nines) * 100).toFixed(Math.max(0, Math.ceil(nines - 1e-9) + more))} %`,
  /** Memory in KiB. */
  memory(kib) {
    if (!Number.isFinite(kib)) return NONE;
    if (kib < 1024) return `${threeDigits(kib)} KiB`;
    return kib < 1024 ** 2 ? `${threeDigits(kib / 1024)} MiB` : `${threeDigits(kib / 1024 ** 2)} GiB`;
  },
  /** A date and time in UTC; the last representable one if it is beyond. */
  moment: (ms) => new Date(Math.min(ms, 253402300799000)).toISOString().slice(0, 19).replace("T", " ") + " UTC",
  /** A name from outside, cut to a length. */
  label: (name, max) => (name.length > max ? `${name.slice(0, max - 1)}…` : name),
  /** A key as text: `cpu_us_per_message` is "CPU µs per message". */
  key(key) {
    const known = { kib: "KiB", mib: "MiB", cpu: "CPU", us: "µs" };
    const text = key.split("_").map((part) => known[part] ?? part).join(" ");
    return text.charAt(0).toUpperCase() + text.slice(1);
  },
};

/** Titles and meanings of the metrics, in the order of the report. */
const METRICS = {
  call_setup: ["Call set-up", "from the start of a call until both sides have the description and first candidate of the other"],
  offer_answer: ["Offer → answer", "from sending the offer until the answer has arrived"],
  one_way: ["One way", "from sending a message until its receiver has it"],
  outcome: ["Outcome", "from sending a message until its sender has the outcome"],
  join: ["Join", "from asking to join a room until the answer of the node"],
  roster_complete: ["Rosters complete", "from the last change of a room until all rosters of a peer are right"],
  connect: ["Connect", "TCP and TLS"],
  authenticate: ["Authenticate", "from the upgrade request with the token until the welcome"],
  reconnect: ["Reconnect", "from the loss of a connection until the next one is open"],
  start_delay: ["Start delay", "how late the generator itself made its starts"],
};

/** Violations that the oracle counts: counter, label, meaning. */
const VIOLATIONS = [
  ["lost", "lost", "never arrived, and the sender got no error"],
  ["duplicated", "duplicated", "arrived more than once"],
  ["reordered", "reordered", "arrived after a later message of the same sender"],
  ["corrupted", "corrupted", "arrived with other content"],
  ["misdelivered", "misdelivered", "arrived at the wrong peer, or with the wrong sender"],
  ["no_outcome", "no outcome", "the server promised an outcome and sent none"],
  ["rosters_wrong", "wrong rosters", "a member knew other members of a room than it had"],
];

/** Labels of the costs; other costs are labelled by their keys. */
const COSTS = {
  kib_per_idle_connection: "Memory per idle connection, KiB",
  cpu_us_per_message: "CPU per message, µs",
  cpu_us_per_message_redis: "CPU of Redis per message, all servers, µs",
  cpu_us_per_join: "CPU per join of a room, µs",
  cpu_us_per_join_redis: "CPU of Redis per join of a room, µs",
  messages_per_second_per_core: "Messages per second and core",
  nodes_cores: "Cores of all nodes, mean",
  redis_cores: "Cores of Redis, mean",
};
