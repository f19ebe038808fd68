"""The project's nginx and HAProxy configurations, run as they are but for addresses, in front of the test's nodes:
calls go through, a draining node gets nobody new, and no log shows a secret of a query.
"""

import os
import pathlib
import subprocess
import tempfile

from parts import ROOT, Process, binary, free_port, tool, wait_until
from socket_client import Client, Refused

NODES_IN_FILES = ("node1", "node2", "node3")
SECRET_IN_QUERY = "resume-token-that-no-log-may-show"


def certificate(folder):
    """A certificate of the test's own, as one file for HAProxy and as two for nginx."""
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=signal.example"
    files = ["-keyout", folder / "tls.key", "-out", folder / "tls.crt"]
    subprocess.run(["openssl", *make.split(), *files], check=True, capture_output=True)
    (folder / "tls.pem").write_text((folder / "tls.crt").read_text() + (folder / "tls.key").read_text())


def replaced(text, *pairs):
    """`text` with each first replaced by its second; every one must be there, or the file has changed."""
    for old, new in pairs:
        assert old in text, f"{old!r} does not stand there any more"
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
    """nginx of the compose file; what it does is the same as above."""
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
        # Twice as many files, which a desk's limit may not allow.
        ("maxconn 100000\n", "maxconn 1000\n"),
        *pairs,
    )
    (folder / "haproxy.cfg").write_text(config)
    subprocess.run(["haproxy", "-c", "-f", folder / "haproxy.cfg"], check=True, capture_output=True, text=True)
    log = folder / "haproxy.log"
    return Balancer("haproxy", tls, plain, log, Process(["haproxy", "-db", "-f", folder / "haproxy.cfg"], log))


def start(folder, nodes):
    """Those that are installed. The third of the servers in their files is one that is not there."""
    folder.mkdir()
    certificate(folder)
    addresses = [(f"127.0.0.1:{node.public}", node.ops) for node in nodes]
    addresses.append((f"127.0.0.1:{free_port()}", free_port()))
    return [begin(folder, addresses) for begin in (nginx, haproxy) if tool(begin.__name__)]


def peer(cluster, balancer, name, *command):
    """A command-line peer that connects through the balancer."""
    environment = os.environ | {
        "SWITCHBOARD_URL": f"ws://127.0.0.1:{balancer.plain}/v1/ws",
        "SWITCHBOARD_TOKEN": cluster.token(name),
    }
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([binary(), *command], env=environment, **pipes)


def connected(balancer, token, tls=False, **more):
    """A client, once the balancer takes it."""
    port, last = balancer.tls if tls else balancer.plain, []

    def look():
        try:
            return Client(port, token, tls=tls, **more)
        except (OSError, Refused) as error:
            last[:] = [error]
            return None

    try:
        return wait_until(f"a connection through {balancer.name}", look)
    except TimeoutError as error:
        raise TimeoutError(f"{error}; the last attempt: {last[0]!r}\n{balancer.process.tail()}") from error


def carries_a_call(cluster, balancer):
    """A message from one command-line peer to another, both through the balancer; nothing secret in its log."""
    # With TLS, and with secrets in the query, which a node would take.
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
    heard = listener.stdout.readline()
    assert '"from":"alice"' in heard and '{"sdp":"v=0"}' in heard, heard
    assert listener.wait(20) == 0
    logs_no_secret(balancer, token, lambda text: text.count("/v1/ws") >= 3)


def logs_no_secret(balancer, token, is_whole):
    """Waits until the balancer's logs are `is_whole`; neither secret is in them."""

    def logged():
        text = "".join(path.read_text() for path in balancer.log.parent.glob(f"{balancer.name}*.log"))
        assert token not in text and SECRET_IN_QUERY not in text, "a log shows a secret"
        return is_whole(text)

    wait_until(f"{balancer.name} has logged the connections", logged)


def keeps_secrets_when_no_node_answers(cluster, balancer):
    """A balancer is most talkative about requests that it could not hand on."""
    token = cluster.token("probe")
    refused = None
    try:
        Client(balancer.plain, token, path=f"/v1/ws?resume={SECRET_IN_QUERY}&access_token={token}")
    except Refused as error:
        refused = str(error)
    assert refused in ("502", "503"), refused
    logs_no_secret(balancer, token, lambda text: f" {refused} " in text)


def spares_a_draining_node(cluster, balancer, draining):
    """While one node drains, clients come in at the first attempt, and none of them there. They stay connected, so that
    the draining node is the one with the fewest, which the balancer would choose.
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
