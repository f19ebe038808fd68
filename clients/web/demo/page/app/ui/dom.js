// @ts-check
/** Small tools for the page's elements. Text from outside is only ever set as text, never as HTML. */

/** @typedef {keyof HTMLElementTagNameMap} Tag */

/**
 * The element with this id; the page is broken without it.
 * @template {Tag} T
 * @param {string} id @param {T} [_tag] only for its type
 * @returns {HTMLElementTagNameMap[T]}
 */
export function byId(id, _tag) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return /** @type {HTMLElementTagNameMap[T]} */ (element);
}

/**
 * A new element. `attributes` with a dash or `role` are set as attributes, all others as properties.
 * @template {Tag} T
 * @param {T} tag @param {Record<string, any>} [attributes] @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.includes('-') || name === 'role') element.setAttribute(name, value);
    else /** @type {any} */ (element)[name] = value;
  }
  element.append(...children);
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** A new SVG element. @param {string} tag @param {Record<string, string | number>} attributes @param {...Node} children */
export function makeSvg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** One of the icons of the page. @param {string} name */
export const icon = (name) => makeSvg('svg', { class: 'icon', 'aria-hidden': 'true' }, makeSvg('use', { href: `#i-${name}` }));

/**
 * Shows `items` as children of `parent`, in their order. The element of an item stays the same, so focus and pictures stay too.
 * @template Item @template {HTMLElement} E
 * @param {HTMLElement} parent
 * @param {Item[]} items
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => E} create
 * @param {(element: E, item: Item) => void} update
 */
export function showList(parent, items, keyOf, create, update) {
  const old = new Map([...parent.children].map((child) => [/** @type {HTMLElement} */ (child).dataset.key, /** @type {E} */ (child)]));
  items.forEach((item, index) => {
    const key = keyOf(item);
    let element = old.get(key);
    old.delete(key);
    if (!element) {
      element = create(item);
      element.dataset.key = key;
    }
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
    update(element, item);
  });
  for (const element of old.values()) element.remove();
}
