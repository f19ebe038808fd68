/**
 * One session with its calls and rooms, made in one turn, so that no event comes before its handler. Components read it
 * through the hooks. Not here: React.
 */
import { connect, type ConnectOptions, type Session } from '@switchboard/client';
import { type Call, type Calls, calls } from '@switchboard/client/call';
import { type Rooms, rooms } from '@switchboard/client/rooms';

export interface ClientOptions extends ConnectOptions {
  /** The camera and the microphone, for calls that continue after a reload. */
  getMedia: () => Promise<MediaStream>;
}

export class Client {
  readonly session: Session;
  readonly phone: Calls;
  readonly #rooms: Rooms;
  readonly #listeners = new Set<() => void>();
  #roomSteps: Promise<unknown> = Promise.resolve();
  #changes = 0;
  #call: Call | undefined;
  #remote: MediaStream | undefined;

  constructor({ getMedia, ...options }: ClientOptions) {
    this.session = connect(options);
    this.phone = calls(this.session);
    this.#rooms = rooms(this.session);
    this.session.on('state', () => this.changed());
    this.phone.on('incoming', (call) => this.show(call));
    this.phone.on('restored', async (call) => this.show(call).accept({ stream: await getMedia() }));
  }

  /** The newest call, also when it is over. */
  get call(): Call | undefined {
    return this.#call;
  }

  /** What the other side of it sends. */
  get remote(): MediaStream | undefined {
    return this.#remote;
  }

  show(call: Call): Call {
    if (call === this.#call) return call;
    this.#call = call;
    this.#remote = undefined;
    call.on('state', () => this.changed());
    call.on('media', () => this.changed());
    call.on('track', ({ streams: [stream] }) => {
      this.#remote = stream;
      this.changed();
    });
    this.changed();
    return call;
  }

  /** Joins and leaves of rooms happen one after the other: in strict mode React mounts, unmounts and mounts at once. */
  inRooms<Result>(step: (rooms: Rooms) => Promise<Result>): Promise<Result> {
    const result = this.#roomSteps.then(() => step(this.#rooms));
    this.#roomSteps = result.catch(() => {});
    return result;
  }

  changed(): void {
    this.#changes++;
    for (const listener of this.#listeners) listener();
  }

  // What `useSyncExternalStore` takes.

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  readonly version = (): number => this.#changes;
}
