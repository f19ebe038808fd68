/** The hooks: a session, its newest call, and the call of a room. Safe in strict mode. */
import { SwitchboardError } from '@switchboard/client';
import type { Call, MediaState } from '@switchboard/client/call';
import { type RoomCall, roomCall } from '@switchboard/client/room-call';
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { Client, type ClientOptions } from './client.js';

/** A session with `url`, for as long as the component is mounted. Nothing before the first effect. */
export function useSwitchboard(options: ClientOptions): Client | undefined {
  const [client, setClient] = useState<Client>();
  const newest = useRef(options);
  newest.current = options;
  const url = String(options.url);
  const unmounted = useRef<{ url: string; client: Client; closing: ReturnType<typeof setTimeout> }>(undefined);
  useEffect(() => {
    // Strict mode unmounts and mounts again at once. A session that is closed in between could not continue after a reload.
    const last = unmounted.current;
    const made = last?.url === url ? last.client : new Client({
      ...newest.current,
      getToken: () => newest.current.getToken(),
      getMedia: () => newest.current.getMedia(),
    });
    if (made === last?.client) clearTimeout(last.closing);
    setClient(made);
    return () => {
      const closing = setTimeout(() => {
        unmounted.current = undefined;
        void made.session.close();
      });
      unmounted.current = { url, client: made, closing };
    };
  }, [url]);
  useSyncExternalStore(client?.subscribe ?? nothing, client?.version ?? zero);
  return client;
}

/** The newest call of a client. `call.state` and `call.theirMedia` are as of this render. */
export function useCall(client: Client): { call: Call | undefined; remote: MediaStream | undefined; dial: (peer: string, stream: MediaStream) => Call } {
  useSyncExternalStore(client.subscribe, client.version);
  const dial = useCallback((peer: string, stream: MediaStream) => client.show(client.phone.call(peer, { stream })), [client]);
  return { call: client.call, remote: client.remote, dial };
}

export interface Person {
  peer: string;
  stream: MediaStream | undefined;
  media: MediaState | undefined;
  connection: RTCPeerConnectionState;
}

/** Takes part in the call of a room while mounted and while there is a stream. */
export function useRoomCall(client: Client, name: string, stream: MediaStream | undefined): { call: RoomCall | undefined; people: Person[]; error: string } {
  const [call, setCall] = useState<RoomCall>();
  const [people, setPeople] = useState<Person[]>([]);
  const [error, setError] = useState('');
  useEffect(() => {
    if (!stream) return undefined;
    let isMounted = true;
    let group: RoomCall | undefined;
    const streams = new Map<string, MediaStream>();
    const update = () => {
      const calls = [...(group?.participants.values() ?? [])];
      setPeople(calls.map(({ peer, pc, theirMedia }) => ({ peer, stream: streams.get(peer), media: theirMedia, connection: pc.connectionState })));
    };
    const enter = async () => {
      await client.inRooms(async (rooms) => {
        if (!isMounted) return;
        group = roomCall(client.phone, await rooms.join(name), { stream });
      });
      if (!group || !isMounted) return;
      group.on('joined', (theirs) => {
        theirs.on('track', ({ streams: [its] }) => {
          if (its) streams.set(theirs.peer, its);
          update();
        });
        theirs.on('connection', update);
        theirs.on('media', update);
        update();
      });
      group.on('left', update);
      group.on('failed', ({ peer, reason }) => setError(`${peer} cannot be reached: ${reason}`));
      setCall(group);
    };
    void enter().catch((failed: SwitchboardError) => setError(failed.message));
    return () => {
      isMounted = false;
      setCall(undefined);
      setPeople([]);
      void client.inRooms(async (rooms) => {
        group?.leave();
        if (group) await rooms.leave(name);
      });
    };
  }, [client, name, stream]);
  return { call, people, error };
}

const nothing = () => () => {};
const zero = () => 0;
