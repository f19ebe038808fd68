// A signaling server as socket.io's users build it: a peer joins the room named by its ID, and `signal` goes to
// another peer's room, on any node. For the load generator's comparison only: it trusts the ID
// that the client names.
//
// Environment: HOST, PORT, REDIS_PORT, NODE_NAME; ADAPTER=sharded takes the adapter over Redis' sharded pub/sub.
import { createServer } from "node:http";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";

const { HOST = "127.0.0.1", PORT, REDIS_PORT, NODE_NAME, ADAPTER = "classic" } = process.env;

const publisher = new Redis({ host: "127.0.0.1", port: Number(REDIS_PORT) });
const subscriber = publisher.duplicate();
for (const client of [publisher, subscriber]) {
  client.on("error", (error) => console.error("redis:", error.message));
}
const adapters = { classic: createAdapter, sharded: createShardedAdapter };
if (!(ADAPTER in adapters)) throw new Error(`ADAPTER is ${ADAPTER}, not one of ${Object.keys(adapters)}`);

// socket.io answers its own path; a caller that waits for the start asks any other.
const server = createServer((_, response) => response.writeHead(404).end());
const io = new Server(server, {
  transports: ["websocket"],
  serveClient: false,
  adapter: adapters[ADAPTER](publisher, subscriber),
});
// What socket.io's page on performance advises: the first HTTP request is not kept for the socket's life.
io.engine.on("connection", (socket) => {
  socket.request = null;
});

io.use((socket, next) => {
  const { peer } = socket.handshake.auth;
  next(typeof peer === "string" && peer !== "" ? undefined : new Error("no peer"));
});
io.on("connection", async (socket) => {
  const { peer } = socket.handshake.auth;
  socket.on("signal", (signal) => {
    if (typeof signal?.to !== "string") return;
    io.to(signal.to).emit("signal", { from: peer, kind: signal.kind, payload: signal.payload });
  });
  await socket.join(peer);
  socket.emit("ready", { node: NODE_NAME });
});

// Answered in order, so the adapter's subscriptions are there before anybody can connect.
await Promise.all([publisher.ping(), subscriber.ping()]);
server.listen(Number(PORT), HOST);
