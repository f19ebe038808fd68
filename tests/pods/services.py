"""The Services of the release: their DNS names, and one address that distributes connections over ready pods.

A cluster has kube-dns and kube-proxy for this. Here each name resolves to the ready pods, and the clients' Service is a TCP
relay on loopback. The host's packet filter stays unchanged. A pod that becomes unready keeps its connections, as in a
cluster. Not here: network policies.
"""

import asyncio
import contextlib
import random
import struct
import threading

from podman import DOMAIN, GATEWAY

CHUNK = 65_536
# How long routes to a pod remain after its SIGTERM. A node's settle_ms must be longer.
LAG_S = 0.5
IS_ANSWER, IS_UNKNOWN, TYPE_A = 0x8580, 0x8583, 1
TTL_S = 1


class Services:
    """A context manager. `pods` are the targets, and clients connect to `port`."""

    def __init__(self, services, clients):
        self.services, self.clients, self.pods = services, clients, []
        self.loop = asyncio.new_event_loop()

    def __enter__(self):
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self.loop).result(10)
        return self

    async def _open(self):
        self.names, _ = await self.loop.create_datagram_endpoint(lambda: Names(self), local_addr=(GATEWAY, 53))
        self.relay = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.relay.sockets[0].getsockname()[1]

    async def _close(self):
        self.relay.close()
        self.names.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    def endpoints(self, service):
        """The pods that a Service leads to."""
        return [pod for pod in self._selected(service) if pod.ready]

    def _selected(self, service):
        wanted = self.services[service]["selector"].items()
        return [pod for pod in list(self.pods) if wanted <= pod.labels.items()]

    def addresses(self, service):
        """The addresses of its name: the ready pods of a headless Service, or all pods of another Service."""
        if service not in self.services:
            return []
        is_headless = self.services[service].get("clusterIP") == "None"
        return [pod.address for pod in (self.endpoints if is_headless else self._selected)(service)]

    def remove_later(self, pod):
        """Removes a pod after the lag."""
        self.loop.call_soon_threadsafe(self.loop.call_later, LAG_S, self.pods.remove, pod)

    async def _serve(self, reader, writer):
        pods = self.endpoints(self.clients)
        try:
            if not pods:
                return
            pod = random.choice(pods)
            upstream = await asyncio.open_connection(pod.address, pod.port("http"))
            await asyncio.gather(self._pump(reader, upstream[1]), self._pump(upstream[0], writer))
            upstream[1].close()
        except (OSError, asyncio.CancelledError):
            # asyncio would report a cancelled task on standard error.
            pass
        finally:
            writer.close()

    async def _pump(self, reader, writer):
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                writer.write(chunk)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()


class Names(asyncio.DatagramProtocol):
    """Answers queries for IPv4 addresses (RFC 1035) of the release's names."""

    def __init__(self, services):
        self.services = services

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, client):
        with contextlib.suppress(struct.error, IndexError, UnicodeDecodeError):
            self.transport.sendto(self._answer(data), client)

    def _answer(self, data):
        labels, at = [], 12
        while length := data[at]:
            labels.append(data[at + 1 : at + 1 + length].decode())
            at += 1 + length
        kind = struct.unpack_from("!H", data, at + 1)[0]
        question = data[12 : at + 5]
        service = ".".join(labels).lower().removesuffix(f".{DOMAIN}")
        known = service in self.services.services
        found = self.services.addresses(service) if kind == TYPE_A else []
        records = b"".join(
            struct.pack("!HHHIH4s", 0xC00C, TYPE_A, 1, TTL_S, 4, bytes(map(int, address.split("."))))
            for address in found
        )
        flags = IS_ANSWER if known else IS_UNKNOWN
        return data[:2] + struct.pack("!HHHHH", flags, 1, len(found), 0, 0) + question + records
