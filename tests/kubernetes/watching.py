"""What happens to pods while a check runs, from the API server's own stream: a state that lasts for milliseconds is seen, too.

Not here: what the states mean for a check.
"""

import collections
import contextlib
import http.client
import json
import socket
import threading
import urllib.parse

from processes import until

SEEN_S = 20
END_S = 10


class Watched:
    """A context manager. Pods are known by name, because a new pod never has the name of an old one."""

    def __init__(self, api, namespace, **labels):
        self.api, self.path = api, api.path("Pod", namespace)
        self.selector = urllib.parse.quote(",".join(f"{key}={value}" for key, value in labels.items()))
        # Pod → how often it became unready without being stopped.
        self.unready = collections.Counter()
        # Pod → how its containers ended: identity → (exit code, reason).
        self.ends, self.gone, self.is_ready = collections.defaultdict(dict), set(), {}

    def __enter__(self):
        there = self.api.call("GET", f"{self.path}?labelSelector={self.selector}")
        for pod in there["items"]:
            self._see(pod)
        query = f"watch=1&labelSelector={self.selector}&resourceVersion={there['metadata']['resourceVersion']}"
        self.connection = http.client.HTTPSConnection(self.api.address, context=self.api.context)
        self.connection.request("GET", f"/{self.path}?{query}", headers={"Authorization": f"Bearer {self.api.token}"})
        # The answer closes a socket that nobody else keeps.
        self.socket, self.answer = self.connection.sock, self.connection.getresponse()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(END_S)
        self.connection.close()

    def _read(self):
        # The stream ends when this run shuts it down, perhaps within a line.
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            for line in self.answer:
                event = json.loads(line)
                self._see(event["object"], is_gone=event["type"] == "DELETED")

    def _see(self, pod, is_gone=False):
        name, status = pod["metadata"]["name"], pod["status"]
        is_ready = any((one["type"], one["status"]) == ("Ready", "True") for one in status.get("conditions", []))
        self.unready[name] += self.is_ready.get(name, False) and not is_ready and "deletionTimestamp" not in pod["metadata"]
        self.is_ready[name] = is_ready
        for container in status.get("containerStatuses", []):
            for state in container.get("state", {}), container.get("lastState", {}):
                if ended := state.get("terminated"):
                    self.ends[name][ended.get("containerID")] = ended["exitCode"], ended.get("reason")
        if is_gone:
            self.gone.add(name)

    def ended(self, name):
        """How the containers of a pod have ended, in order: (exit code, reason). Waits for the first one."""
        until(f"a container of {name} ends", lambda: self.ends.get(name), SEEN_S)
        return list(self.ends[name].values())

    def until_gone(self, *names):
        """Waits until these pods do not exist."""
        until(f"{', '.join(names)} are gone", lambda: self.gone.issuperset(names), SEEN_S)
