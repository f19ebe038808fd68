// @ts-check
/** Typed look-up of the page's elements by id. */

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
