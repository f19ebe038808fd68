"""The project's nginx and HAProxy configurations, with only their addresses changed, in front of the test's nodes.

Checked: calls pass, a draining node gets no new clients, and no log shows a secret of a query.
"""

import os
import pathlib
import subprocess
import tempfile

from support import ROOT, Process, binary, free_port, tool, wait_until
from socket_client import Client, Refused

NODES_IN_FILES = ("node1", "node2", "node3")
SECRET_IN_QUERY = "resume-token-that-no-log-may-show"


def certificate(folder):
    """Creates a certificate: one file for HAProxy, and two for nginx."""
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=signal.example"
    files = ["-keyout", folder / "tls.key", "-out", folder / "tls.crt"]
    subprocess.run(["openssl", *make.split(), *files], check=True, capture_output=True)
    (folder / "tls.pem").write_text((folder / "tls.crt").read_text() + (folder / "tls.key").read_text())


def replaced(text, *pairs):
    """Replaces the first of each pair by the second. Each first must be in `text`."""
    for old, new in pairs:
        assert old in text, f"{old!r} is not in the file any more"
        text = text.replace(old, new)
    return text


class Balancer:
    """A running balancer: its name, a port with TLS, one without, and its log."""

    def __init__(self, name, tls, plain, log, process):
        self.name, self.tls, self.plain, self.log, self.process = name, tls, plain, log, process


def nginx(folder, addresses):
    tls, plain = free_port(), free_port()
    site = replaced(
        (ROOT / "deploy/nginx/switchboard.conf").read_text(),
        ("listen 443 ssl;", f"listen 127.0.0.1:{tls} ssl; listen 127.0.0.1:{plain};"),
        ("/etc/nginx/tls", str(folder)),
        ("/var/log/nginx/", f"{folder}/nginx-"),
        *((f"{name}:8080", address) for name, (address, _) in zip(NODES_IN_FILES, addresses)),
    )
    (folder / "site.conf").write_text(site)
    folders = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    # Workers of root's nginx would be another user, without access to the folder.
    user = "user root;" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"daemon off; {user} worker_processes 2; pid {folder}/nginx.pid; events {{ worker_connections 1024; }}\n"
        f"http {{ client_body_temp_path {folder}/body; {folders} include {folder}/site.conf; }}\n"
    )
    command = ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "nginx-start.log"]
    subprocess.run([*command, "-t"], check=True, capture_output=True, text=True)
    return Balancer("nginx", tls, plain, folder / "nginx-switchboard.log", Process(command, folder / "nginx-out.log"))


def the_trial_configuration_is_valid():
    """Checks the configuration of nginx in the compose file. Its behaviour is that of the other nginx configuration."""
    with tempfile.TemporaryDirectory() as folder:
        text = (ROOT / "deploy/compose/nginx.conf").read_text()
        names = [(f"{name}:8080", "127.0.0.1:8080") for name in NODES_IN_FILES]
        config = pathlib.Path(folder) / "nginx.conf"
        config.write_text(replaced(text, ("/run/nginx/", f"{folder}/"), *names))
        subprocess.run(["nginx", "-t", "-c", config], check=True, capture_output=True, text=True)


def haproxy(folder, addresses):
    tls, plain = free_port(), free_port()
    pairs = [("server " + name + " " + name + ":8080", f"server {name} {address} port {ops}")
             for name, (address, ops) in zip(NODES_IN_FILES, addresses)]
    config = replaced(
        (ROOT / "deploy/haproxy/haproxy.cfg").read_text(),
        ("bind :443 ssl crt /etc/haproxy/tls.pem", f"bind 127.0.0.1:{plain}\n  bind 127.0.0.1:{tls} ssl crt {folder}/tls.pem"),
        # HAProxy needs two files for each connection, and a developer's limit may be lower.
        ("maxconn 100000\n", "maxconn 1000\n"),
        *pairs,
    )
    (folder / "haproxy.cfg").write_text(config)
    subprocess.run(["haproxy", "-c", "-f", folder / "haproxy.cfg"], check=True, capture_output=True, text=True)
    log = folder / "haproxy.log"
    return Balancer("haproxy", tls, plain, log, Process(["haproxy", "-db", "-f", folder / "haproxy.cfg"], log))


def start(folder, nodes):
    """Starts the installed balancers. The third server of their configurations does not exist."""
    folder.mkdir()
    certificate(folder)
    addresses = [(f"127.0.0.1:{node.public}", node.ops) for node in nodes]
    addresses.append((f"127.0.0.1:{free_port()}", free_port()))
    return [begin(folder, addresses) for begin in (nginx, haproxy) if tool(begin.__name__)]


def peer(cluster, balancer, name, *command):
    """Starts a command-line peer that connects through the balancer."""
    environment = os.environ | {
        "SWITCHBOARD_URL": f"ws://127.0.0.1:{balancer.plain}/v1/ws",
        "SWITCHBOARD_TOKEN": cluster.token(name),
    }
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([binary(), *command], env=environment, **pipes)


def connected(balancer, token, tls=False, **more):
    """Connects a client as soon as the balancer accepts it."""
    port, last_error = balancer.tls if tls else balancer.plain, []

    def connect():
        try:
            return Client(port, token, tls=tls, **more)
        except (OSError, Refused) as error:
            last_error[:] = [error]
            return None

    try:
        return wait_until(f"a connection through {balancer.name}", connect)
    except TimeoutError as error:
        raise TimeoutError(f"{error}; the last_error attempt: {last_error[0]!r}\n{balancer.process.tail()}") from error


def carries_a_call(cluster, balancer):
    """Sends a message between two command-line peers through the balancer. Its log must show no secret."""
    # With TLS, and with secrets in the query, which a node accepts.
    token = cluster.token("probe")
    client = connected(balancer, token, tls=True, path=f"/v1/ws?seen=0&access_token={token}")
    client.close()
    try:
        Client(balancer.plain, token, path=f"/v1/ws?resume={SECRET_IN_QUERY}").close()
    except (Refused, OSError):
        pass
    listener = peer(cluster, balancer, "bob", "listen", "--count", "1")
    assert "listening on node" in listener.stderr.readline()
    sender = peer(cluster, balancer, "alice", "send", "--to", "bob", '{"sdp":"v=0"}')
    assert sender.wait(20) == 0, sender.stderr.read()
    received = listener.stdout.readline()
    assert '"from":"alice"' in received and '{"sdp":"v=0"}' in received, received
    assert listener.wait(20) == 0
    logs_no_secret(balancer, token, lambda text: text.count("/v1/ws") >= 3)


def logs_no_secret(balancer, token, is_whole):
    """Waits until the balancer's logs are `is_whole`. They must contain no secret."""

    def logged():
        text = "".join(path.read_text() for path in balancer.log.parent.glob(f"{balancer.name}*.log"))
        assert token not in text and SECRET_IN_QUERY not in text, "a log shows a secret"
        return is_whole(text)

    wait_until(f"{balancer.name} has logged the connections", logged)


def keeps_secrets_when_no_node_answers(cluster, balancer):
    """Balancers log most about requests that they cannot forward."""
    token = cluster.token("probe")
    refused = None
    try:
        Client(balancer.plain, token, path=f"/v1/ws?resume={SECRET_IN_QUERY}&access_token={token}")
    except Refused as error:
        refused = str(error)
    assert refused in ("502", "503"), refused
    logs_no_secret(balancer, token, lambda text: f" {refused} " in text)


def spares_a_draining_node(cluster, balancer, draining):
    """While one node drains, clients connect at the first attempt, and none to that node. They stay connected. The
    draining node then has the fewest connections, so the balancer would choose it.
    """
    clients = []
    try:
        for number in range(5):
            client = Client(balancer.plain, cluster.token(f"late{number}"))
            clients.append(client)
            assert client.welcome["node"] != draining.name, client.welcome
    finally:
        for client in clients:
            client.close()
