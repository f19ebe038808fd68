// Who this page is: `?peer=alice&node=http://127.0.0.1:8080`. `switchboard dev` gives it a token. In production your backend does.
const query = new URLSearchParams(location.search);
export const url = query.get('node') ?? 'http://127.0.0.1:8080';
export const peer = query.get('peer') ?? 'alice';
export const getToken = async () => (await (await fetch(`${url}/dev/session?peer=${peer}`)).json()).token;
