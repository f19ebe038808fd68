/** What a page or worker reports of itself: its network, its visibility, and that it is left and shown again. */

export interface PageListener {
  /** The network may be another one, or somebody looks at the page again. */
  wake(): void;
  /** The page is left. It may come back from the back/forward cache. */
  hide(mayReturn: boolean): void;
  /** The page came back from that cache. */
  show(): void;
}

/** Returns a function that stops watching. */
export function watchPage({ wake, hide, show }: PageListener): () => void {
  const watch = new AbortController();
  const listen = (target: unknown, type: string, handler: (event: PageTransitionEvent) => void) =>
    (target as EventTarget | undefined)?.addEventListener?.(type, handler as EventListener, { signal: watch.signal });
  listen(globalThis, 'online', wake);
  listen((globalThis.navigator as { connection?: unknown } | undefined)?.connection, 'change', wake);
  listen(globalThis.document, 'visibilitychange', () => {
    if (document.visibilityState === 'visible') wake();
  });
  listen(globalThis, 'pagehide', ({ persisted }) => hide(persisted));
  listen(globalThis, 'pageshow', ({ persisted }) => {
    if (persisted) show();
  });
  return () => watch.abort();
}
