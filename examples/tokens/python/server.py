"""A backend that gives tokens for Switchboard to its signed-in users. `../README.md` explains it.

No dependencies: HS256 takes three lines, and every JWT library does the same.
"""
import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import sys
import time
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SECRET_FILE = os.environ.get("SWITCHBOARD_SECRET_FILE") or sys.exit(
    "set SWITCHBOARD_SECRET_FILE to the file with the secret that the nodes have")
SECRET = pathlib.Path(SECRET_FILE).read_bytes().rstrip(b"\r\n")

# How long a token is valid, in seconds. The SDK asks for the next one in time.
TOKEN_TTL_S = 600

# One tab of one user.
DEVICE = re.compile(r"[a-z0-9]{8,32}")

# Session cookies of signed-in users.
SESSIONS = {"session-of-alice": "alice", "session-of-bob": "bob"}


def signed_in_user(headers):
    """YOUR LOGIN CHECK GOES HERE: the user whom the request's session proves, or None. Never a name that the page sends."""
    session = SimpleCookie(headers.get("Cookie", "")).get("session")
    return SESSIONS.get(session.value) if session else None


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(claims):
    text = b".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return text + b"." + base64url(hmac.digest(SECRET, text, hashlib.sha256))


def token(headers, device):
    """The status and the body of an answer to `GET /token?device=…`."""
    user = signed_in_user(headers)
    if not user:
        return 401, b"sign in first\n"
    if not DEVICE.fullmatch(device):
        return 400, b"device: 8 to 32 characters of a-z 0-9\n"
    now = int(time.time())
    return 200, sign({"sub": f"{user}.{device}", "aud": "switchboard", "iat": now, "exp": now + TOKEN_TTL_S})


class Backend(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        device = parse_qs(url.query).get("device", [""])[0]
        status, body = token(self.headers, device) if url.path == "/token" else (404, b"only GET /token\n")
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "3000"))), Backend)
    print(f"http://127.0.0.1:{server.server_port}/token", flush=True)
    server.serve_forever()
