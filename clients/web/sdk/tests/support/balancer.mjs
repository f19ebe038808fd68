// A balancer before the nodes, as a cluster has one: it spreads connections, and it can cut or freeze them. It also serves
// the pages of a test, so that they have the nodes' origin.
import { once } from 'node:events';
import { createServer as createHttpServer, request } from 'node:http';
import { connect, createServer } from 'node:net';

export class Balancer {
  /** @type {Map<string, number>} ports of the nodes, by their names */
  targets = new Map();
  /** What a network in between stops: `websocket`, and paths whose answers it holds back for ever. */
  blocked = new Set();
  /** @type {(url: URL) => {type: string, body: string | Buffer}} */
  page = () => ({ type: 'text/plain', body: '' });
  /** @type {Set<[import('node:net').Socket, import('node:net').Socket]>} */
  #pairs = new Set();
  #turn = 0;
  #http = createHttpServer((incoming, answer) => this.#serve(incoming, answer));

  /** @param {import('node:test').TestContext} t */
  static async start(t) {
    const balancer = new Balancer();
    const server = createServer((client) => balancer.#accept(client)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    balancer.url = `http://127.0.0.1:${server.address().port}`;
    t.after(() => {
      server.close();
      balancer.#http.closeAllConnections();
      balancer.cut();
    });
    return balancer;
  }

  #nextPort() {
    const ports = [...this.targets.values()];
    return ports[this.#turn++ % ports.length];
  }

  #accept(client) {
    client.on('error', () => {});
    client.once('data', (head) => {
      client.pause();
      client.unshift(head);
      if (/^upgrade: websocket/im.test(head)) this.blocked.has('websocket') ? client.destroy() : this.#forward(client);
      else {
        this.#http.emit('connection', client);
        client.resume();
      }
    });
  }

  #forward(client) {
    const port = this.#nextPort();
    if (!port) return client.destroy();
    const node = connect(port, '127.0.0.1');
    const pair = [client, node];
    this.#pairs.add(pair);
    node.on('error', () => {});
    for (const [from, to] of [[client, node], [node, client]]) {
      from.pipe(to);
      from.on('close', () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
    }
  }

  /** A page of the test, or a node's answer. */
  #serve(incoming, answer) {
    const { url, method, headers } = incoming;
    if (!url.startsWith('/v1/')) {
      const { type, body } = this.page(new URL(url, this.url));
      return answer.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
    }
    if (this.blocked.has(new URL(url, this.url).pathname)) return;
    const port = this.#nextPort();
    if (!port) return answer.destroy();
    const forwarded = request({ host: '127.0.0.1', port, path: url, method, headers }, (its) => {
      answer.writeHead(its.statusCode, its.headers);
      its.pipe(answer);
    });
    forwarded.on('error', () => answer.destroy());
    answer.on('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  }

  /** Resets all connections. */
  cut() {
    for (const sockets of this.#pairs) for (const socket of sockets) socket.resetAndDestroy();
  }

  /** The oldest connections carry nothing any more, in either direction, without an end. */
  freeze(count = Infinity) {
    for (const sockets of [...this.#pairs].slice(0, count)) for (const socket of sockets) socket.unpipe().pause();
  }
}
