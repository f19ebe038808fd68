"""The image of deploy/image/build with debug binaries: complete, reproducible, and equal to deploy/Dockerfile.

Not here: the release build, which takes minutes.
"""

import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

from support import ROOT, binary

NAME = "switchboard-*-*.oci.tar"


def build_image(folder, binaries):
    subprocess.run([ROOT / "deploy/image/build", "--try", binaries, "--out", folder], check=True, capture_output=True, text=True)
    return next(folder.glob(NAME))


def blob(archive, of):
    content = archive.extractfile("blobs/sha256/" + of["digest"].removeprefix("sha256:")).read()
    assert hashlib.sha256(content).hexdigest() == of["digest"].removeprefix("sha256:") and len(content) == of["size"]
    return content


def dockerfile_labels():
    text = (ROOT / "deploy/Dockerfile").read_text()
    return set(re.findall(r"org\.opencontainers\.image\.\w+", text))


def the_image_is_complete_and_matches_the_dockerfile():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "bin").mkdir()
        for name in ("switchboard", "switchboard-loadtest"):
            # Stripped, and the same binary for both names: the check is about the script.
            stripped = ["strip", "--strip-all", "-o", folder / "bin" / name, binary()]
            if shutil.which("strip") is None or subprocess.run(stripped).returncode:
                shutil.copy(binary(), folder / "bin" / name)
        first, second = build_image(folder / "one", folder / "bin"), build_image(folder / "two", folder / "bin")
        assert first.read_bytes() == second.read_bytes(), "the build is not reproducible"
        check_archive(first)
        sbom = json.loads(next((folder / "one").glob("*.spdx.json")).read_text())
    names = {package["name"] for package in sbom["packages"]}
    assert {"switchboard-node", "switchboard-loadtest", "tokio", "rustls", "tikv-jemallocator"} <= names
    assert not names & {"proptest", "cargo_metadata", "tonic-build"}, "a test dependency is in the image"
    assert not names & {"ring", "turn"}, "the TURN server of `switchboard dev` is in the image"
    own = [package["name"] for package in sbom["packages"] if "checksums" not in package]
    assert all(name.startswith("switchboard-") for name in own), own


def check_archive(path):
    with tarfile.open(path) as archive:
        index = json.load(archive.extractfile("index.json"))
        manifest = json.loads(blob(archive, index["manifests"][0]))
        config = json.loads(blob(archive, manifest["config"]))
        layer = blob(archive, manifest["layers"][0])
    run = config["config"]
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    assert f"USER {run['User']}\n" in dockerfile and run["User"] == "65532:65532"
    assert f"ENTRYPOINT {json.dumps(run['Entrypoint'])}\n" in dockerfile
    assert f"CMD {json.dumps(run['Cmd'])}\n" in dockerfile
    assert f"STOPSIGNAL {run['StopSignal']}\n" in dockerfile
    assert run["Labels"].keys() == dockerfile_labels(), run["Labels"]
    version = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert run["Labels"]["org.opencontainers.image.version"] == version
    assert f"ARG VERSION={version}\n" in dockerfile, "deploy/Dockerfile names another version"
    with tempfile.TemporaryFile() as file:
        file.write(layer)
        file.seek(0)
        with tarfile.open(fileobj=file) as files:
            modes = {entry.name: entry.mode for entry in files if entry.isfile()}
            assert all(entry.uid == 0 and not entry.mode & 0o222 for entry in files), "a file is writable"
    assert modes.pop("switchboard") == 0o555 and modes.pop("switchboard-loadtest") == 0o555
    assert modes.keys() == {"sbom.spdx.json", "etc/nsswitch.conf", "etc/ssl/certs/ca-certificates.crt"}, modes
