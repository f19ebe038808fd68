"""A TCP proxy for Redis that can make subscribers deaf.

Connections stay open and commands are answered, but pushed messages never arrive. No closed connection reports this fault.
"""

import socket
import threading

# The start of a pushed message in RESP2. Answers and confirmations of SUBSCRIBE start differently.
PUSHED = b"*3\r\n$7\r\nmessage\r\n"


class DeafProxy:
    """Listens on a free port; `deaf` may be set and cleared at any time."""

    def __init__(self, redis_port):
        self.redis_port = redis_port
        self.deaf = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                redis = socket.create_connection(("127.0.0.1", self.redis_port))
            except OSError:
                if self.listener.fileno() < 0:
                    return
                # Redis is down, so the client's connection ends too.
                client.close()
                continue
            for source, sink, drops in ((client, redis, False), (redis, client, True)):
                threading.Thread(target=self.copy, args=(source, sink, drops), daemon=True).start()

    def copy(self, source, sink, drops):
        try:
            while chunk := source.recv(65536):
                if not (drops and self.deaf.is_set() and PUSHED in chunk):
                    sink.sendall(chunk)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()
