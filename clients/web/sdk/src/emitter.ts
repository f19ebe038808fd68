/** Typed events. A handler that throws stops no other handler: its error goes to the runtime, like any uncaught one. */

export class Emitter<Events> {
  readonly #handlers: { [Type in keyof Events]?: Set<(event: Events[Type]) => void> } = Object.create(null);

  /** Adds a handler. Returns a function that removes it. */
  on<Type extends keyof Events>(type: Type, handler: (event: Events[Type]) => void): () => void {
    const handlers = (this.#handlers[type] ??= new Set());
    handlers.add(handler);
    return () => void handlers.delete(handler);
  }

  /** The next event of this type. */
  once<Type extends keyof Events>(type: Type): Promise<Events[Type]> {
    return new Promise((resolve) => {
      const off = this.on(type, (event) => {
        off();
        resolve(event);
      });
    });
  }

  /** Calls the handlers. Returns whether there was one. */
  protected emit<Type extends keyof Events>(type: Type, event: Events[Type]): boolean {
    const handlers = [...(this.#handlers[type] ?? [])];
    for (const handler of handlers) {
      try {
        handler(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    return handlers.length > 0;
  }
}
