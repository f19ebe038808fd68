"""The package of the chart: its files, its provenance, and a registry on this machine that serves it."""

import contextlib
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile

import yaml

from checks.processes import needed, process, wait_until
from support import CHART, ROOT, TIMEOUT_S, VALUES, Skip, check, helm, tool

PACKAGE = ROOT / "deploy/chart/package"
DIGEST = "sha256:" + "0123456789abcdef" * 4


def package(*arguments, expected=0):
    """Runs the script; returns its output."""
    done = subprocess.run([PACKAGE, *map(str, arguments)], capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout + done.stderr


def content(archive, name):
    """A file of a package."""
    with tarfile.open(archive) as tar:
        return tar.extractfile(f"switchboard/{name}").read().decode()


def one_package(folder):
    """The only package in a folder."""
    found, = pathlib.Path(folder).glob("*.tgz")
    return found


@contextlib.contextmanager
def registry():
    """A registry on loopback, in memory; yields its port."""
    program = tool("registry")
    if not program:
        raise Skip("registry is not installed; scripts/setup builds it")
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "log"
        with process([program, "-port", "0"], log):
            found = []
            wait_until("the registry", lambda: found.extend(re.findall(r"serving on port (\d+)", log.read_text())) or found)
            yield found[0]


@contextlib.contextmanager
def signing_key():
    """A key of an own keyring; yields its name and the folder."""
    needed("gpg")
    with tempfile.TemporaryDirectory() as home:
        def gpg(*arguments):
            command = ["gpg", "--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", "", *arguments]
            return subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S).stdout

        name = "chart@switchboard.example"
        gpg("--quick-generate-key", name, "rsa2048", "sign", "1d")
        # Helm reads the older form of keyrings.
        (pathlib.Path(home) / "secret.gpg").write_bytes(gpg("--export-secret-keys", name))
        (pathlib.Path(home) / "public.gpg").write_bytes(gpg("--export", name))
        try:
            yield name, pathlib.Path(home)
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], capture_output=True, timeout=TIMEOUT_S)


@check
def a_package_has_what_artifact_hub_shows():
    with tempfile.TemporaryDirectory() as folder:
        package("--out", folder)
        chart = yaml.safe_load(content(one_package(folder), "Chart.yaml"))
        notes = chart["annotations"]
        defaults = yaml.safe_load((CHART / "values.yaml").read_text())
        images = {one["name"]: one["image"] for one in yaml.safe_load(notes["artifacthub.io/images"])}
        assert images == {
            "switchboard": f"{defaults['image']['repository']}:{chart['appVersion']}",
            "redis": "{repository}:{tag}".format(**defaults["redis"]["bundled"]["image"]),
            "coturn": "{repository}:{tag}".format(**defaults["coturn"]["image"]),
        }
        changes = yaml.safe_load(notes["artifacthub.io/changes"])
        assert changes and all(one["kind"] in ("added", "changed", "fixed", "removed", "security") for one in changes)
        assert any("autoscaler" in one["description"] for one in changes)


@check
def a_package_with_a_digest_installs_exactly_that_image():
    with tempfile.TemporaryDirectory() as folder:
        package("--out", folder, "--image-digest", DIGEST)
        made = one_package(folder)
        code, text, errors = helm("template", "sb", made, "--values", VALUES / "minimal.yaml")
        assert code == 0, errors
        assert f"ghcr.io/switchboard-signaling/switchboard@{DIGEST}" in text
        assert f"@{DIGEST}" in content(made, "Chart.yaml") and DIGEST in content(made, "README.md")
    assert "is no digest" in package("--image-digest", "latest", expected=1)


@check
def a_signed_package_is_pushed_to_a_registry_and_installs_from_there_verified():
    with registry() as port, signing_key() as (name, home), tempfile.TemporaryDirectory() as folder:
        address = f"oci://127.0.0.1:{port}/charts"
        output = package("--out", folder, "--sign", name, "--keyring", home / "secret.gpg", "--push", address, "--plain-http")
        assert re.search(r"Digest: sha256:[0-9a-f]{64}", output), output
        made = one_package(folder)
        assert made.with_name(made.name + ".prov").exists()
        code, _, errors = helm("verify", made, "--keyring", home / "public.gpg")
        assert code == 0, errors
        wanted = helm("template", "sb", CHART, "--values", VALUES / "trial.yaml")
        served = ("template", "sb", f"{address}/switchboard", "--plain-http", "--values", VALUES / "trial.yaml")
        got = helm(*served, "--verify", "--keyring", home / "public.gpg")
        assert got[0] == 0, got[2]
        assert got[1] == wanted[1]
        with signing_key() as (_, other):
            code, _, errors = helm(*served, "--verify", "--keyring", other / "public.gpg")
            assert code != 0 and "signature made by unknown entity" in errors, errors
        made.write_bytes(made.read_bytes() + b"x")
        code, _, errors = helm("verify", made, "--keyring", home / "public.gpg")
        assert code != 0, "a changed package passes"


@check
def a_package_has_no_file_that_is_not_committed():
    tracked = subprocess.run(["git", "ls-files", "charts/switchboard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        package("--out", folder)
        with tarfile.open(one_package(folder)) as tar:
            names = {f"charts/{one.name}" for one in tar.getmembers()}
    assert names - {"charts/switchboard/Chart.yaml"} <= set(tracked.split()), names - set(tracked.split())
    assert os.access(PACKAGE, os.X_OK)
