"""Builds and runs images without a container engine: buildah in a chroot, on a base made of Debian's own packages.

No registry of images is asked, so that the base is not the one that the Dockerfile names: it is Debian with its Python,
made once by debootstrap (a minute) and kept in the cache. All else is the Dockerfile's.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

BASE: Final = "localhost/base:bookworm"
PACKAGES: Final = "python3,python3-venv,python3-pip,ca-certificates"
_CERTIFICATES: Final = "/etc/ssl/certs:/etc/ssl/certs:ro"
_LEFT_OUT: Final = ("./dev", "./proc", "./sys", "./var/cache/apt", "./var/lib/apt/lists")


class NoBuilder(Exception):
    """Images cannot be built here; the message says why."""


class Images:
    """A store of images, in a folder of its own.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        for tool in ("buildah", "debootstrap"):
            if shutil.which(tool) is None:
                raise NoBuilder(f"needs {tool}")
        if os.geteuid() != 0:
            raise NoBuilder("needs root, for a chroot")
        self._store = ["--root", str(folder / "storage"), "--runroot", str(folder / "run")]
        self._environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        self._import(_base())

    def build(self, name: str, context: Path, **arguments: str) -> None:
        """Build the context's Dockerfile on the base."""
        given = [f"--build-arg={key}={value}" for key, value in {"BASE": BASE, **arguments}.items()]
        self._run("bud", "--layers=false", *given, "-v", _CERTIFICATES, "-t", name, str(context))

    def container(self, name: str) -> str:
        """A container of an image."""
        return self._run("from", name).strip()

    def folder(self, container: str) -> Path:
        """Where a container's files are."""
        return Path(self._run("mount", container).strip())

    def configuration(self, name: str) -> str:
        """What an image says of itself, as JSON."""
        return self._run("inspect", "--type", "image", name)

    def run(self, container: str, *command: str) -> str:
        """Run a command to its end; what it says."""
        return self._run("run", container, "--", *command)

    def start(self, container: str, *options: str, command: tuple[str, ...], log: Path) -> subprocess.Popen[bytes]:
        """Run a command, as whom the image says."""
        with log.open("wb") as out:
            return subprocess.Popen(
                ["buildah", *self._store, "run", *options, container, "--", *command],
                stdout=out,
                stderr=out,
                env=self._environment,
                start_new_session=True,
            )

    def close(self) -> None:
        """Take all away."""
        for command in (("rm", "--all"), ("rmi", "--all", "--force")):
            subprocess.run(["buildah", *self._store, *command], capture_output=True, env=self._environment)

    def _import(self, archive: Path) -> None:
        container = self._run("from", "scratch").strip()
        self._run("add", "-q", container, str(archive), "/")
        self._run("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
        self._run("commit", "-q", container, BASE)
        self._run("rm", container)

    def _run(self, *words: str) -> str:
        command = ["buildah", *self._store, *words]
        run = subprocess.run(command, capture_output=True, text=True, env=self._environment)
        assert run.returncode == 0, f"{' '.join(command)}\n{run.stdout[-2000:]}{run.stderr[-4000:]}"
        return run.stdout


def _base() -> Path:
    """The base's files as an archive, from the cache or made now."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tonnage" / "image-base"
    cache.mkdir(parents=True, exist_ok=True)
    archive = cache / "bookworm.tar"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            root = cache / "root"
            shutil.rmtree(root, ignore_errors=True)
            command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)]
            made = subprocess.run(command, capture_output=True, text=True)
            if made.returncode != 0:
                raise NoBuilder(f"debootstrap: {made.stdout[-300:]}{made.stderr[-300:]}")
            (root / "usr/bin/python").symlink_to("python3")  # as the usual base has it
            left_out = [f"--exclude={path}" for path in _LEFT_OUT]
            subprocess.run(["tar", "-C", str(root), *left_out, "-cf", str(cache / "unfinished.tar"), "."], check=True)
            (cache / "unfinished.tar").rename(archive)
            shutil.rmtree(root)
    return archive
