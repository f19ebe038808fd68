// A TCP balancer before the nodes, as a cluster has one: it spreads connections, and it can cut or freeze them.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Balancer {
  /** @type {Map<string, number>} ports of the nodes, by their names */
  targets = new Map();
  /** @type {Set<[import('node:net').Socket, import('node:net').Socket]>} */
  #pairs = new Set();
  #turn = 0;

  /** @param {import('node:test').TestContext} t */
  static async start(t) {
    const balancer = new Balancer();
    const server = createServer((client) => balancer.#accept(client)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    balancer.url = `http://127.0.0.1:${server.address().port}`;
    t.after(() => {
      server.close();
      balancer.cut();
    });
    return balancer;
  }

  #accept(client) {
    const ports = [...this.targets.values()];
    client.on('error', () => {});
    if (!ports.length) return client.destroy();
    const node = connect(ports[this.#turn++ % ports.length], '127.0.0.1');
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

  /** Resets all connections. */
  cut() {
    for (const sockets of this.#pairs) for (const socket of sockets) socket.resetAndDestroy();
  }

  /** The connections that exist carry nothing any more, in either direction, without an end. */
  freeze() {
    for (const sockets of this.#pairs) for (const socket of sockets) socket.unpipe().pause();
  }

  get connections() {
    return this.#pairs.size;
  }
}
