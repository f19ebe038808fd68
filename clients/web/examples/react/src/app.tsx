/** A page with a call to one person, and the call of a room. */
import { type FormEvent, useEffect, useRef, useState } from 'react';
import type { Client } from './client.js';
import { useCall, useRoomCall, useSwitchboard } from './hooks.js';

const query = new URLSearchParams(location.search);
const node = query.get('node') ?? 'http://127.0.0.1:8080';
const peer = query.get('peer') ?? 'alice';
// `switchboard dev` gives tokens to pages of this machine. In production your backend does.
const getToken = async () => (await (await fetch(`${node}/dev/session?peer=${peer}`)).json()).token as string;
const getMedia = () => navigator.mediaDevices.getUserMedia({ audio: true, video: true });

function Video({ stream, label, muted = false }: { stream: MediaStream | undefined; label: string; muted?: boolean }) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (element.current) element.current.srcObject = stream ?? null;
  }, [stream]);
  return (
    <figure>
      <video ref={element} aria-label={label} autoPlay playsInline muted={muted} width={240} />
      <figcaption>{label}</figcaption>
    </figure>
  );
}

function OneToOne({ client, stream }: { client: Client; stream: MediaStream | undefined }) {
  const { call, remote, dial } = useCall(client);
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (stream) dial(String(new FormData(event.currentTarget).get('peer')), stream);
  };
  const isRinging = call?.state === 'ringing' && !call.isCaller;
  return (
    <section aria-label="Call">
      <form onSubmit={onSubmit}>
        <label>
          Peer <input name="peer" required />
        </label>
        <button disabled={!stream}>Call</button>
      </form>
      {call && (
        <p role="status">
          {call.peer}: {call.state} {call.reason}
        </p>
      )}
      {isRinging && <button onClick={() => call.accept({ stream })}>Accept</button>}
      {call && !call.isOver && <button onClick={() => call.end()}>{isRinging ? 'Decline' : 'Hang up'}</button>}
      {call && !call.isOver && remote && <Video stream={remote} label={call.peer} />}
    </section>
  );
}

function GroupCall({ client, name, stream }: { client: Client; name: string; stream: MediaStream | undefined }) {
  const { people, error } = useRoomCall(client, name, stream);
  return (
    <section aria-label={`Room ${name}`}>
      {error && <p role="alert">{error}</p>}
      {people.map((person) => (
        <Video key={person.peer} stream={person.stream} label={person.peer} />
      ))}
    </section>
  );
}

export function App() {
  const client = useSwitchboard({ url: node, getToken, getMedia });
  const [stream, setStream] = useState<MediaStream>();
  const [isInRoom, setIsInRoom] = useState(false);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    let isMounted = true;
    let mine: MediaStream | undefined;
    const stop = () => mine?.getTracks().forEach((track) => track.stop());
    getMedia().then(
      (its) => {
        mine = its;
        if (isMounted) setStream(its);
        else stop();
      },
      (error: Error) => setProblem(`no camera or microphone: ${error.message}`),
    );
    return () => {
      isMounted = false;
      stop();
    };
  }, []);
  if (!client) return <p>Connecting …</p>;
  return (
    <main>
      <h1>
        {peer}: {client.session.state}
      </h1>
      {problem && <p role="alert">{problem}</p>}
      <Video stream={stream} label="You" muted />
      <OneToOne client={client} stream={stream} />
      <button onClick={() => setIsInRoom(!isInRoom)}>{isInRoom ? 'Leave the room' : 'Join the room'}</button>
      {isInRoom && <GroupCall client={client} name="standup" stream={stream} />}
    </main>
  );
}
