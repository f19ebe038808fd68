"""The rendered chart as plain processes. Configuration, arguments and scripts come from the manifests; only addresses
and folders are replaced. Not here: containers and their security settings (tests/pods)."""

import base64
import contextlib
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from support import SWITCHBOARD, TIMEOUT_S, Skip, check, config_text, node, of_kind, pods, the

START_S = 20
STEP_S = 0.05
DIR = "/etc/switchboard"


def needed(name):
    """The path of a program, or a skip."""
    return shutil.which(name) or skip(f"{name} is missing; scripts/setup installs it")


def skip(reason):
    """Ends a check that cannot run here."""
    raise Skip(reason)


def free_port():
    """A free port for UDP and TCP."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        return tcp.getsockname()[1]


def wait_until(what, condition):
    """Waits until the condition holds, for a bounded time."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if condition():
                return
        time.sleep(STEP_S)
    raise AssertionError(f"{what} did not start within {START_S} s")


def listens(port):
    """Whether a program accepts connections on the port; else an OSError."""
    socket.create_connection(("127.0.0.1", port), timeout=1).close()
    return True


def is_ready(port):
    """Whether a node says that it is ready; else an OSError."""
    return urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).status == 200


@contextlib.contextmanager
def process(command, log):
    """A process that ends with the block."""
    with open(log, "wb") as output:
        running = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def container(name, suffix, which=0):
    """A container of the pod owner owner's name ends so."""
    return next(spec for owner, _, spec in pods(name) if owner.endswith(suffix))["containers"][which]


@contextlib.contextmanager
def bundled_redis(folder):
    """The bundled Redis with the manifest's own command and arguments; yields its port."""
    needed("redis-server")
    port = free_port()
    redis = container("trial", "-redis")
    command = [*redis["command"], *redis["args"], "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    with process(command, folder / "redis.log"):
        wait_until("redis-server", lambda: listens(port))
        yield port


def on_this_machine(name, folder, redis, ports):
    """The node's configuration with the addresses and the folder of this machine. `ports`: rendered port → own port."""
    text = config_text(name).replace(DIR, str(folder))
    for address in ("sb-switchboard-redis:6379", "redis.data:6379"):
        text = text.replace(address, f"127.0.0.1:{redis}")
    for rendered, own in ports.items():
        text = text.replace(f"0.0.0.0:{rendered}", f"127.0.0.1:{own}")
    return text


def status(port, path):
    """The HTTP status of a request without a token."""
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).status
    except urllib.error.HTTPError as refusal:
        return refusal.code


@contextlib.contextmanager
def nodes_of_the_trial(folder, count):
    """Nodes with the configuration and the secret that the trial renders; yields their public ports and processes."""
    secret = base64.b64decode(the("trial", "Secret")["data"]["hs256-secret"])
    (folder / "jwt").mkdir()
    (folder / "jwt/hs256-secret").write_bytes(secret)
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(bundled_redis(folder))
        running = []
        for number in range(count):
            public, ops = free_port(), free_port()
            (folder / f"{number}.toml").write_text(on_this_machine("trial", folder, redis, {8080: public, 9090: ops}))
            arguments = [one.replace(f"{DIR}/config/switchboard.toml", str(folder / f"{number}.toml"))
                         for one in node("trial")[1]["args"]]
            log = folder / f"{number}.log"
            running.append((public, stack.enter_context(process([SWITCHBOARD, *arguments], log))))
            wait_until(f"node {number} ({log.read_text()[-300:]})", lambda port=ops: is_ready(port))
        yield running


def output_for_a_peer_in_the_cluster(port, secret):
    """The output of coturn's client for a relay to a private address."""
    client = needed("turnutils_uclient")
    command = [client, "-W", secret, "-u", "ann", "-p", str(port), "-n", "1", "-m", "1", "-c", "-e", "10.1.1.1", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        # The client would retry for a long time.
        stop = threading.Timer(START_S, running.kill)
        stop.start()
        lines = []
        for line in running.stdout:
            lines.append(line)
            if "error" in line or "ERROR" in line:
                break
        stop.cancel()
        running.kill()
    return "".join(lines)


@check
def the_trial_runs_and_its_helm_test_passes_between_two_nodes():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with nodes_of_the_trial(folder, 2) as running:
            addresses = ",".join(f"127.0.0.1:{port}" for port, _ in running)
            arguments = [
                f"--nodes={addresses}" if one.startswith("--nodes=") else one.replace(DIR, name)
                for one in the("trial", "Pod", "-selftest")["spec"]["containers"][0]["args"]
            ]
            done = subprocess.run([SWITCHBOARD, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S)
            assert done.returncode == 0, done.stderr
            assert "delivered and confirmed" in done.stdout, done.stdout
            grace = node("trial")[0]["terminationGracePeriodSeconds"]
            for _, one in running:
                one.terminate()
            assert [one.wait(timeout=grace) for _, one in running] == [0, 0]


@check
def a_chosen_port_serves_the_backend_api_and_the_public_one_no_longer_does():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "jwt").mkdir()
        (folder / "jwt/hs256-secret").write_text("0123456789abcdef0123456789abcdef")
        public, ops, api = (free_port() for _ in range(3))
        with bundled_redis(folder) as redis:
            file = folder / "node.toml"
            file.write_text(on_this_machine("api-port", folder, redis, {8080: public, 9090: ops, 8081: api}))
            with process([SWITCHBOARD, "serve", "--config", str(file)], folder / "log"):
                wait_until("the node", lambda: is_ready(ops))
                assert [status(port, "/v1/peers/bob") for port in (api, public)] == [401, 404]
                assert [status(port, "/v1/ready") for port in (api, public)] == [404, 401]
                assert status(public, "/v1/health") == 200, "a balancer asks for it"


@check
def the_bundled_redis_accepts_its_arguments_and_saves_nothing():
    with tempfile.TemporaryDirectory() as name, bundled_redis(pathlib.Path(name)) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(b"CONFIG GET save\r\nCONFIG GET client-output-buffer-limit\r\n")
            answer = b""
            while b"pubsub" not in answer:
                answer += client.recv(4096) or skip("redis-server closed the connection")
        assert answer.startswith(b"*2\r\n$4\r\nsave\r\n$0\r\n"), answer
        assert b"pubsub 67108864 16777216 30" in answer, answer


@contextlib.contextmanager
def coturn_of_the_script(name, folder, environment):
    """coturn started by the chart's script, with the secret `one`; yields its port."""
    needed("turnserver"), needed("turnadmin")
    port = free_port()
    for part in ("base", "secret", "run/coturn", "var/lib/coturn"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    data = the(name, "ConfigMap", "-coturn")["data"]
    text = data["turnserver.conf"].replace("=/run/", f"={folder}/run/").replace("=/var/", f"={folder}/var/")
    text = text.replace("listening-port=3478", f"listening-port={port}\nlistening-ip=127.0.0.1\nrelay-ip=127.0.0.1")
    # Refused relays keep their place for minutes.
    text = text.replace("total-quota=4\n", "total-quota=90\n").replace("user-quota=12", "user-quota=90").replace("=49163", "=49259")
    (folder / "base/turnserver.conf").write_text(text)
    (folder / "base/external-ips").write_text(data["external-ips"])
    (folder / "secret/secret").write_text("one")
    script = data["coturn.sh"].replace("sleep 5", "sleep 0.1")
    for part in ("/base/", "/secret/", "/run/coturn/", "/var/lib/coturn/"):
        script = script.replace(part, f"{folder}{part}")
    (folder / "base/coturn.sh").write_text(script)
    made = container(name, "-coturn")
    known = {one["name"]: one["value"] for one in made["env"] if "value" in one}
    command = ["env", "-i", "PATH=/usr/bin:/bin", *(f"{key}={value}" for key, value in (known | environment).items()),
               made["command"][0], str(folder / "base/coturn.sh")]
    with process(command, folder / "log") as running:
        wait_until("turnserver", lambda: running.poll() is not None or listens(port))
        assert running.poll() is None, (folder / "log").read_text(errors="replace")
        yield port, running.pid


def arguments(pid):
    """The arguments of a process."""
    return pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def secrets_of(folder):
    """The secrets in coturn's database. Each try of a relay would keep its place for minutes."""
    with contextlib.closing(sqlite3.connect(f"file:{folder}/var/lib/coturn/turndb?mode=ro", uri=True, timeout=5)) as database:
        return {value for value, in database.execute("select value from turn_secret")}


def accepts(port, secret):
    """Whether coturn takes credentials of this secret. 403, not 401: then it refuses the address of the cluster."""
    return "403 (Forbidden IP)" in output_for_a_peer_in_the_cluster(port, secret)


@check
def coturn_runs_with_the_chart_s_script_and_changes_its_secret_without_a_restart_or_a_gap():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with coturn_of_the_script("coturn-deployment", folder, {"POD_IP": "127.0.0.1", "MACHINE": "any"}) as (port, pid):
            assert "--external-ip=203.0.113.7/127.0.0.1" in arguments(pid)
            assert accepts(port, "one") and not accepts(port, "two")
            (folder / "secret/other").write_text("two\n")
            wait_until("the second secret", lambda: secrets_of(folder) == {"one", "two"})
            assert accepts(port, "two")
            assert accepts(port, "one"), "credentials of the first secret are still in use"
            (folder / "secret/new").write_text("two")
            (folder / "secret/new").rename(folder / "secret/secret")
            (folder / "secret/other").unlink()
            wait_until("the end of the first secret", lambda: secrets_of(folder) == {"two"})
            assert accepts(port, "two") and not accepts(port, "one")
            log = (folder / "log").read_text(errors="replace")
        assert "Bad configuration" not in log and "Bad IP" not in log, log
        assert (folder / "var/lib/coturn/turndb").stat().st_mode & 0o077 == 0, "others could read the secret"


@contextlib.contextmanager
def locked_database(folder, statements):
    """coturn's database while somebody else reads or writes it."""
    with contextlib.closing(sqlite3.connect(folder / "var/lib/coturn/turndb", isolation_level=None, timeout=5)) as database:
        for statement in statements:
            database.execute(statement).fetchall()
        yield
        database.execute("commit")


def not_loaded(folder):
    """How often the script has said that it could not write."""
    return (folder / "log").read_text(errors="replace").count("the TURN secrets are not loaded yet")


@check
def coturn_gets_its_secrets_also_when_its_database_was_locked_and_forgets_those_of_an_earlier_start():
    # turnadmin calls it a success when it could not write: an old secret stayed for ever.
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with coturn_of_the_script("coturn-deployment", folder, {"POD_IP": "127.0.0.1", "MACHINE": "any"}):
            for lock, secret in (["begin", "select * from turn_secret"], "two"), (["begin exclusive"], "three"):
                with locked_database(folder, lock):
                    tries = not_loaded(folder)
                    (folder / "secret/secret").write_text(secret)
                    wait_until("a second try", lambda seen=tries: not_loaded(folder) >= seen + 2)
                wait_until(f"the secret {secret} alone", lambda wanted=secret: secrets_of(folder) == {wanted})
        with coturn_of_the_script("coturn-deployment", folder, {"POD_IP": "127.0.0.1", "MACHINE": "any"}):
            assert secrets_of(folder) == {"one"}, "a secret of the earlier start still counts"


@check
def coturn_takes_the_external_address_of_its_machine_and_does_not_start_without_one():
    with tempfile.TemporaryDirectory() as name:
        with coturn_of_the_script("coturn-metrics", pathlib.Path(name), {"POD_IP": "127.0.0.1", "MACHINE": "edge-1"}) as (_, pid):
            assert "--external-ip=203.0.113.7/127.0.0.1" in arguments(pid)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with contextlib.suppress(AssertionError):
            with coturn_of_the_script("coturn-metrics", folder, {"POD_IP": "127.0.0.1", "MACHINE": "unknown"}):
                raise RuntimeError("coturn starts without the address of its machine")
        assert "no external address of the machine unknown is known" in (folder / "log").read_text()
