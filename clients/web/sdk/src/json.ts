/** Reading JSON from outside. */

/** Returns nothing for a text that is not JSON. */
export function readJson(text: string | null | undefined): any {
  try {
    return JSON.parse(text as string);
  } catch {
    return undefined;
  }
}
