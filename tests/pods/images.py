"""The images of the run, made without a registry: the node's by deploy/image/oci.py, as releases are; those of Redis and
coturn from the programs that are installed here, with the libraries they load. Not the images that the chart names by
default: those come from registries."""

import io
import os
import platform
import re
import subprocess
import sys
import tarfile

import parts
from podman import PAUSE, run

REDIS = "localhost/switchboard-redis:pods"
COTURN = "localhost/switchboard-coturn:pods"
NODE = "localhost/switchboard:node"


def libraries(program):
    """What the loader would load for a program, and the loader; nothing for a static one."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", said)


def closed(files):
    """{path: source} with the libraries of all, each at its own path."""
    return {library: library for source in files.values() for library in libraries(source)} | files


def node(podman, archive=None):
    """Loads the node's image: that OCI archive, or one made from the debug binary."""
    if not archive:
        archive = podman.folder / "node.oci.tar"
        image = parts.ROOT / "deploy/image"
        files = closed({"/switchboard": parts.SWITCHBOARD, "/etc/nsswitch.conf": str(image / "nsswitch.conf")})
        pairs = [f"{path}={source}" for path, source in files.items()]
        about = ["--arch", platform.machine(), "--version", "node", "--commit", "tests", "--out", archive]
        run(sys.executable, image / "oci.py", *about, *pairs)
    loaded = podman("load", "--quiet", "--input", archive).split()[-1]
    if loaded != NODE:
        podman("tag", loaded, NODE)


def installed(podman, name, files, *changes):
    """An image of programs that are installed here: {path in the image: path here}."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, source in closed(files).items():
            tar.add(os.path.realpath(source), path.lstrip("/"))
    layer = podman.folder / "layer.tar"
    layer.write_bytes(archive.getvalue())
    options = [part for change in ("ENV PATH=/usr/bin:/bin", *changes) for part in ("--change", change)]
    podman("import", "--quiet", *options, layer, name)
    layer.unlink()


def pause(podman):
    """What holds a pod's network while its containers come and go. The first process of a container does not end on
    SIGTERM unless it says so itself."""
    script = "trap 'exit 0' TERM; sleep infinity & wait"
    files = {"/bin/sh": "/usr/bin/dash", "/bin/sleep": "/usr/bin/sleep"}
    installed(podman, PAUSE, files, f'ENTRYPOINT ["/bin/sh", "-c", "{script}"]')


def beside(podman):
    """Redis and coturn; the chart's init container wants a shell and cat."""
    installed(podman, REDIS, {"/usr/bin/redis-server": "/usr/bin/redis-server"})
    coturn = {"/usr/bin/turnserver": "/usr/bin/turnserver", "/bin/sh": "/usr/bin/dash", "/bin/cat": "/usr/bin/cat"}
    installed(podman, COTURN, coturn)
