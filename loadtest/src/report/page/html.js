// HTML from template literals. Every inserted text is escaped; only the result of `html` itself is not escaped again.

class Html {
  constructor(text) {
    this.text = text;
  }
}

function escaped(value) {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(escaped).join("");
  if (value === undefined || value === null || value === false) return "";
  return String(value).replace(/[&<>"'`]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

function html(parts, ...values) {
  return new Html(parts.map((part, index) => (index === 0 ? part : escaped(values[index - 1]) + part)).join(""));
}
