"""A WebSocket client with bad behaviour: it stays connected after `goaway`, and reads only its first frame.

It implements only the necessary part of RFC 6455. Other tests use `switchboard listen` and `switchboard send`.
"""

import base64
import json
import os
import socket
import ssl
import struct

TIMEOUT_S = 10


class Refused(Exception):
    """The answer to the handshake was not 101."""


class Client:
    """A connected peer that has its `welcome`."""

    def __init__(self, port, token, path="/v1/ws", tls=False, welcome=True):
        self.stream = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        try:
            if tls:
                # The test created the certificate, so it cannot be verified.
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
            self.receive()
        head, self.unread = self.unread.split(b"\r\n\r\n", 1)
        status = head.split(b" ")[1]
        if status != b"101":
            raise Refused(status.decode())

    def receive(self):
        chunk = self.stream.recv(65536)
        if not chunk:
            raise ConnectionError("the connection ended")
        self.unread += chunk

    def exactly(self, count):
        while len(self.unread) < count:
            self.receive()
        taken, self.unread = self.unread[:count], self.unread[count:]
        return taken

    def frame(self):
        """The payload of the next frame of any kind."""
        length = self.exactly(2)[1] & 0x7F
        if length == 126:
            length = struct.unpack("!H", self.exactly(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self.exactly(8))[0]
        return self.exactly(length)

    def send(self, command):
        """Sends one command. Its mask is zero, which RFC 6455 allows."""
        text = json.dumps(command).encode()
        assert len(text) < 126, "longer ones need another header"
        self.stream.sendall(struct.pack("!BB4x", 0x81, 0x80 | len(text)) + text)

    def close(self):
        self.stream.close()
