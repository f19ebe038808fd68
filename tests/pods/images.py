"""The images of the run, created without a registry.

The node's image comes from deploy/image/oci.py, as for a release. The images of Redis and coturn contain the installed
programs with their libraries. Not here: the chart's default images, which come from registries.
"""

import io
import os
import platform
import re
import subprocess
import sys
import tarfile

import support
from podman import PAUSE, run

REDIS = "localhost/switchboard-redis:pods"
COTURN = "localhost/switchboard-coturn:pods"
NODE = "localhost/switchboard:node"


def libraries(program):
    """The libraries of a program and its loader; nothing for a static program."""
    output = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", output)


def with_libraries(files):
    """{path: source} of the files and of their libraries."""
    return {library: library for source in files.values() for library in libraries(source)} | files


def node(podman, archive=None):
    """Loads the node's image: the given OCI archive, or one with the debug binary."""
    if not archive:
        archive = podman.folder / "node.oci.tar"
        image = support.ROOT / "deploy/image"
        files = with_libraries({"/switchboard": support.SWITCHBOARD, "/etc/nsswitch.conf": str(image / "nsswitch.conf")})
        pairs = [f"{path}={source}" for path, source in files.items()]
        about = ["--arch", platform.machine(), "--version", "node", "--commit", "tests", "--out", archive]
        run(sys.executable, image / "oci.py", *about, *pairs)
    loaded = podman("load", "--quiet", "--input", archive).split()[-1]
    if loaded != NODE:
        podman("tag", loaded, NODE)


def installed(podman, name, files, *changes):
    """Creates an image of installed programs: {path in the image: path here}."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, source in with_libraries(files).items():
            tar.add(os.path.realpath(source), path.lstrip("/"))
    layer = podman.folder / "layer.tar"
    layer.write_bytes(archive.getvalue())
    options = [part for change in ("ENV PATH=/usr/bin:/bin", *changes) for part in ("--change", change)]
    podman("import", "--quiet", *options, layer, name)
    layer.unlink()


def pause(podman):
    """Creates the image that holds a pod's network. The first process of a container ignores SIGTERM by default, so the
    script handles it."""
    script = "trap 'exit 0' TERM; sleep infinity & wait"
    files = {"/bin/sh": "/usr/bin/dash", "/bin/sleep": "/usr/bin/sleep"}
    installed(podman, PAUSE, files, f'ENTRYPOINT ["/bin/sh", "-c", "{script}"]')


def redis_and_coturn(podman):
    """Creates the images of Redis and coturn. The chart's script needs a shell, sleep and turnadmin."""
    installed(podman, REDIS, {"/usr/bin/redis-server": "/usr/bin/redis-server"})
    coturn = {f"/usr/bin/{name}": f"/usr/bin/{name}" for name in ("turnserver", "turnadmin", "sleep")}
    installed(podman, COTURN, coturn | {"/bin/sh": "/usr/bin/dash"})
