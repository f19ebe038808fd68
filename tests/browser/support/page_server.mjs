// A server of pages on a port of its own, as a development server of an application is one.
import { once } from 'node:events';
import { createServer } from 'node:http';

/** `answer` gives the type and the body for a request. Returns the server's origin, under the name that Vite prints. */
export async function servePages(t, answer) {
  const server = createServer(async (request, response) => {
    const { status = 200, type, body } = await answer(request);
    response.writeHead(status, { 'content-type': type }).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://localhost:${server.address().port}`;
}
