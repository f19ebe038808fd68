"""A TCP proxy before Redis that can make subscribers deaf: connections live, commands are answered, pushed
messages never arrive. The fault that systems of this kind meet most, and no closed connection tells of it.
"""

import socket
import threading

# How a pushed message begins in RESP2; answers and confirmations of SUBSCRIBE begin otherwise.
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
                # No Redis at the moment: the client learns it by the end of its connection.
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
