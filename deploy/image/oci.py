#!/usr/bin/env python3
"""Writes an OCI archive (image-spec 1.1) with one layer from a few files. The same input gives the same bytes.

  oci.py --arch x86_64 --version 0.1.0 --commit <hash> --out image.oci.tar /path/in/image=file…

What the image runs and as whom is here and, for container engines, in deploy/Dockerfile; a test compares the two.
"""

import argparse
import datetime
import gzip
import hashlib
import io
import json
import os
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
USER = 65532
# The fastest level: layers are small, and registries compress them again.
GZIP_LEVEL = 1


def config():
    """The default configuration of a container."""
    return {
        "User": f"{USER}:{USER}",
        "ExposedPorts": {"8080/tcp": {}, "9090/tcp": {}},
        "Entrypoint": ["/switchboard"],
        "Cmd": ["serve"],
        "StopSignal": "SIGTERM",
    }


def labels(version, commit):
    about = {
        "title": "switchboard",
        "description": "A horizontally scalable WebRTC signaling node",
        "source": "https://github.com/switchboard-signaling/switchboard",
        "licenses": "Apache-2.0",
        "version": version,
        "revision": commit,
    }
    return {f"org.opencontainers.image.{key}": value for key, value in about.items()}


def layer(files, moment):
    """The uncompressed tar of {path: (bytes, mode)}. Folders come first. All entries belong to root and are read-only."""
    folders = sorted({folder for path in files for folder in parents(path)})
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in folders:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o555, moment
            tar.addfile(entry)
        for path, (content, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(content), mode, moment
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def parents(path):
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Archive:
    """The blobs of an image layout."""

    def __init__(self):
        self.blobs = {}

    def add(self, media_type, content):
        self.blobs[digest(content)] = content
        return {"mediaType": media_type, "digest": digest(content), "size": len(content)}

    def add_json(self, media_type, value):
        return self.add(media_type, json.dumps(value, sort_keys=True, separators=(",", ":")).encode())

    def write(self, out, index):
        files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode()}
        files |= {"blobs/sha256/" + name.removeprefix("sha256:"): content for name, content in self.blobs.items()}
        with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as tar:
            for path, content in sorted(files.items()):
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = len(content), 0o644
                tar.addfile(entry, io.BytesIO(content))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", choices=ARCHITECTURES, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    moment = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    files = {}
    for pair in options.files:
        path, _, source = pair.partition("=")
        with open(source, "rb") as file:
            files[path.lstrip("/")] = (file.read(), 0o555 if os.access(source, os.X_OK) else 0o444)

    archive = Archive()
    tar = layer(files, moment)
    layer_blob = archive.add(
        "application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(tar, GZIP_LEVEL, mtime=0)
    )
    created = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    described = labels(options.version, options.commit)
    config_blob = archive.add_json(
        "application/vnd.oci.image.config.v1+json",
        {
            "architecture": ARCHITECTURES[options.arch],
            "os": "linux",
            "created": created,
            "config": {**config(), "Labels": described},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar)]},
            "history": [{"created": created, "created_by": "deploy/image/build"}],
        },
    )
    manifest_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = archive.add_json(
        manifest_type,
        {"schemaVersion": 2, "mediaType": manifest_type, "config": config_blob, "layers": [layer_blob], "annotations": described},
    )
    manifest["annotations"] = {"org.opencontainers.image.ref.name": f"switchboard:{options.version}"}
    archive.write(options.out, {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]})
    print(f"{options.out}: {manifest['digest']}, {layer_blob['size'] / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
