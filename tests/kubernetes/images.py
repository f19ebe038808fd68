"""Images of programs of this computer with their libraries, as OCI archives; without a registry.

The node's image differs from a release in its binary only. Not here: the chart's default images, which come from registries.
"""

import os
import platform
import re
import subprocess
import sys

import support

sys.path.append(str(support.ROOT / "deploy/image"))
import oci  # noqa: E402

LOADTEST = os.environ.get("LOADTEST_BIN") or support.SWITCHBOARD + "-loadtest"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
NAMES = support.ROOT / "deploy/image/nsswitch.conf"
# The first process of a container ignores SIGTERM by default.
PAUSE = "trap 'exit 0' TERM; sleep infinity & wait"
SHELL = {"/bin/sh": "/usr/bin/dash", "/bin/sleep": "/usr/bin/sleep"}
# Name → programs (path in the image → path here), and how a container of it runs.
IMAGES = {
    "pause": (SHELL, {"Entrypoint": ["/bin/sh", "-c", PAUSE], "User": "65535:65535"}),
    "switchboard": ({"/switchboard": support.SWITCHBOARD, "/switchboard-loadtest": LOADTEST, CERTIFICATES: CERTIFICATES, "/etc/nsswitch.conf": str(NAMES)}, oci.config()),
    "redis": ({f"/usr/bin/{name}": f"/usr/bin/{name}" for name in ("redis-server", "redis-cli")}, {"User": "999:999"}),
    # The chart's script needs a shell, sleep and turnadmin.
    "coturn": (SHELL | {f"/usr/bin/{name}": f"/usr/bin/{name}" for name in ("turnserver", "turnadmin", "sleep")}, {"User": "65534:65534"}),
    "bash": ({"/bin/bash": "/bin/bash", "/bin/sleep": "/usr/bin/sleep", "/etc/nsswitch.conf": str(NAMES)}, {"User": "65534:65534"}),
}


def add_node(name, program):
    """Adds an image of another program of nodes."""
    IMAGES[name] = ({"/switchboard": program, CERTIFICATES: CERTIFICATES, "/etc/nsswitch.conf": str(NAMES)}, oci.config())


def libraries(program):
    """The libraries of a program and its loader; nothing for a static program."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", said)


def archive(folder, name):
    """Writes the image localhost/NAME:test, and returns its file."""
    files, runs = IMAGES[name]
    files = {library: library for source in files.values() for library in libraries(source)} | files
    contents = {}
    for path, source in files.items():
        with open(source, "rb") as file:
            contents[path.lstrip("/")] = (file.read(), 0o555 if os.access(source, os.X_OK) else 0o444)
    layer, made = oci.layer(contents, 0), oci.Archive()
    tar = made.add("application/vnd.oci.image.layer.v1.tar", layer)
    about = {"architecture": oci.ARCHITECTURES[platform.machine()], "os": "linux", "config": {"Env": ["PATH=/usr/bin:/bin"]} | runs,
             "rootfs": {"type": "layers", "diff_ids": [oci.digest(layer)]}}
    config = made.add_json("application/vnd.oci.image.config.v1+json", about)
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = made.add_json(kind, {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [tar]})
    manifest["annotations"] = {"io.containerd.image.name": f"localhost/{name}:test"}
    out = folder / f"{name}.tar"
    made.write(out, {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]})
    return out
