"""The work of a kubelet for a pod: start, probes, restart after failed liveness, and stop with SIGTERM and grace period.

Not here: scheduling, and the back-off of restarts.
"""

import socket
import threading
import time
import urllib.error
import urllib.request

from podman import NETWORK

START_S = 30
# Kubernetes' own default.
GRACE_S = 30
STEP_S = 0.1


def until(what, condition, within=START_S):
    """Waits until the condition returns a true value, for a bounded time. Returns the value."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(STEP_S)
    raise AssertionError(f"{what}: not within {within} s")


class Pod:
    """A pod with one container. `unready` counts how often it stopped being ready."""

    def __init__(self, podman, release, name, suffix, address):
        self.podman, self.name, self.address = podman, name, address
        self.labels, self.spec = release.pod(suffix)
        self.container_spec = self.spec["containers"][0]
        self.container = f"{name}-{self.container_spec['name']}"
        self.ready, self.restarts, self.unready, self.paused = False, 0, 0, False
        self.terminating = threading.Event()
        text, secrets = release.playable(name, suffix, address)
        for own, content in secrets.items():
            podman.secret(own, content)
        (podman.folder / f"{name}.yaml").write_text(text)
        # The link address is derived from the pod's address, so other pods find a restarted pod.
        link = "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))
        where = ["--network", NETWORK, "--ip", address, "--mac-address", link]
        podman("kube", "play", *where, podman.folder / f"{name}.yaml")
        self.watch = threading.Thread(target=self._probe, daemon=True)

    def watched(self):
        """Starts the probes."""
        self.watch.start()
        return self

    def until_ready(self):
        """Waits for its readiness."""
        try:
            until(f"{self.name} is ready", lambda: self.ready)
        except AssertionError as late:
            state = self.podman.state(self.container)["Status"]
            raise AssertionError(f"{late}; its container is {state}: {self.logs()}") from late

    def pid(self):
        """The process of its container, in the host's numbering."""
        return self.podman.state(self.container)["Pid"]

    def logs(self):
        """The end of its container's output."""
        return self.podman("logs", "--tail", "5", self.container, merged=True)

    def url(self, port, path):
        """A URL on one of its ports, by the port's name."""
        return f"http://{self.address}:{self.port(port)}{path}"

    def port(self, name):
        """The number of one of its ports, by its name or number."""
        if isinstance(name, int):
            return name
        return next(one["containerPort"] for one in self.container_spec["ports"] if one["name"] == name)

    def probe_succeeds(self, probe):
        """Whether one probe succeeds now."""
        asked = self.container_spec[probe]
        try:
            if "httpGet" in asked:
                url = self.url(asked["httpGet"]["port"], asked["httpGet"]["path"])
                urllib.request.urlopen(url, timeout=asked.get("timeoutSeconds", 1)).close()
            else:
                address = self.address, self.port(asked["tcpSocket"]["port"])
                socket.create_connection(address, asked.get("timeoutSeconds", 1)).close()
        except (OSError, urllib.error.HTTPError):
            return False
        return True

    def _probe(self):
        """Runs each probe at its period until the pod terminates."""
        start = self.container_spec.get("startupProbe", {"periodSeconds": 1, "failureThreshold": START_S})
        for _ in range(start["failureThreshold"]):
            if self.terminating.is_set() or "startupProbe" not in self.container_spec or self.probe_succeeds("startupProbe"):
                break
            self.terminating.wait(start["periodSeconds"])
        due = {probe: time.monotonic() for probe in ("readinessProbe", "livenessProbe")}
        failed = dict.fromkeys(due, 0)
        while not self.terminating.wait(STEP_S):
            for probe, moment in due.items():
                if self.paused or time.monotonic() < moment:
                    continue
                due[probe] = time.monotonic() + self.container_spec[probe]["periodSeconds"]
                failed[probe] = 0 if self.probe_succeeds(probe) else failed[probe] + 1
                over = failed[probe] >= self.container_spec[probe].get("failureThreshold", 3)
                if probe == "readinessProbe" and (over or not failed[probe]):
                    self.unready += self.ready and over
                    self.ready = not over
                elif over:
                    failed[probe] = 0
                    self._restart()

    def _restart(self):
        self.restarts += 1
        # The pod and not the container, because podman stops a pod after its last container.
        self.podman("pod", "stop", "--time", self.spec.get("terminationGracePeriodSeconds", GRACE_S), self.name)
        if not self.terminating.is_set():
            self.podman("pod", "start", self.name)

    def unwatch(self):
        """Ends the probes, so nothing restarts the pod."""
        self.terminating.set()
        self.watch.join(self.spec.get("terminationGracePeriodSeconds", GRACE_S))

    def crash(self, away_s):
        """Kills its container with SIGKILL, and starts it again after `away_s` seconds."""
        self.paused, self.ready = True, False
        self.podman("kill", "--signal", "KILL", self.container)
        if self.terminating.wait(away_s):
            return
        self.podman("pod", "start", self.name)
        self.restarts += 1
        self.paused = False

    def terminate(self):
        """Sends SIGTERM."""
        self.terminating.set()
        self.podman("kill", "--signal", "TERM", self.container)

    def ended(self):
        """Waits for the end and returns the exit code. Fails after the grace period."""
        grace = self.spec["terminationGracePeriodSeconds"]
        code = until(f"{self.name} ends after SIGTERM", self.result, grace)["ExitCode"]
        self.delete()
        return code

    def result(self):
        """The state of its container if it has ended; else None."""
        state = self.podman.state(self.container)
        return state if state["Status"] == "exited" else None

    def delete(self):
        """Deletes the pod at once."""
        self.podman("pod", "rm", "--force", "--time", "0", self.name)
