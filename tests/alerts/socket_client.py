"""A WebSocket client that does what no good client does: it stays when it is told to go, and never reads on.

Just enough of RFC 6455 for that; for anything else there is `switchboard listen` and `send`.
"""

import base64
import json
import os
import socket
import ssl
import struct

TIMEOUT_S = 10


class Refused(Exception):
    """The handshake was answered with something else than 101."""


class Client:
    """A peer that is connected and has had its `welcome`."""

    def __init__(self, port, token, path="/v1/ws", tls=False, welcome=True):
        self.stream = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        try:
            if tls:
                # The certificate is the test's own; what is tested is the way through the balancer.
                context = ssl._create_unverified_context()
                self.stream = context.wrap_socket(self.stream)
            self.unread = b""
            self.handshake(path, token)
            if welcome:
                self.welcome = json.loads(self.frame())
        except BaseException:
            self.stream.close()
            raise

    def handshake(self, path, token):
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: 127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        ]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        self.stream.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self.unread:
            self.more()
        head, self.unread = self.unread.split(b"\r\n\r\n", 1)
        status = head.split(b" ")[1]
        if status != b"101":
            raise Refused(status.decode())

    def more(self):
        chunk = self.stream.recv(65536)
        if not chunk:
            raise ConnectionError("the connection ended")
        self.unread += chunk

    def exactly(self, count):
        while len(self.unread) < count:
            self.more()
        taken, self.unread = self.unread[:count], self.unread[count:]
        return taken

    def frame(self):
        """The payload of the next frame, whatever it is."""
        length = self.exactly(2)[1] & 0x7F
        if length == 126:
            length = struct.unpack("!H", self.exactly(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self.exactly(8))[0]
        return self.exactly(length)

    def send(self, command):
        """Sends one command; a mask of zeros is a mask."""
        text = json.dumps(command).encode()
        assert len(text) < 126, "longer ones need another header"
        self.stream.sendall(struct.pack("!BB4x", 0x81, 0x80 | len(text)) + text)

    def close(self):
        self.stream.close()
