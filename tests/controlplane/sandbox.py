"""One container as processes of this machine: its own network, its own view of the file system, its own user.

What it sees of the file system is this machine's, with a layer of its own on top, so that it can run what is
installed here and nothing that it writes stays. That takes root, and a kernel with overlayfs.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controlplane.plane import die_with_parent

HOME_OF_ROOT = Path("/root")
"""Debian keeps it from others, and what programs there link to may lie anywhere under it."""


class Hidden(Exception):
    """What pods are to run lies where they see a folder of their own; the message says what would help."""


def must_be_seen(program: Path) -> None:
    """Refuse a program that no pod with a ``/tmp`` of its own could start.

    Raises:
        Hidden: It lies there.
    """
    if program.absolute().is_relative_to("/tmp"):
        raise Hidden(f"{program}: must not lie below /tmp, which pods mount over; clone and keep caches elsewhere")


def closed_folders(programs: str) -> list[Path]:
    """Folders on the way to programs that a pod's user may not enter here, outermost first.

    A cache folder, for one, is often its owner's alone. An image has no such folders, so that the container's layer
    opens them; this machine's own stay closed.

    Args:
        programs: As in the variable ``PATH``.
    """
    ways = [*map(Path, programs.split(os.pathsep)), Path(sys.base_prefix), HOME_OF_ROOT]
    on_the_way = {folder for way in ways if way.is_absolute() for folder in (way, *way.parents) if folder.is_dir()}
    return sorted(folder for folder in on_the_way if folder.stat().st_mode & 0o005 != 0o005)


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of this machine inside the container."""

    source: Path
    target: str
    read_only: bool
    sub_path: str = ""


@dataclass(slots=True)
class Sandbox:
    """Where the containers of one pod run.

    Attributes:
        folder: For layers and logs.
        namespace: Network namespace.
        hostname: What they are called; empty for this machine's own name.
        files: Written into each of them: path to text.
    """

    folder: Path
    namespace: str
    hostname: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    def start(
        self,
        container: Mapping[str, Any],
        *,
        life: int,
        command: Sequence[str],
        environment: Mapping[str, str],
        mounts: Sequence[Mount],
        security: Mapping[str, Any],
    ) -> subprocess.Popen[bytes]:
        """Start one life of a container; its output goes to ``<name>.<life>.log``."""
        name = container["name"]
        layer = self.folder / f"{name}.{life}"
        for part in ("upper", "work", "root"):
            (layer / part).mkdir(parents=True, exist_ok=True)
        layer.chmod(0o755)
        for path, text in self.files.items():
            file = layer / "upper" / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        script = self._script(layer, container, command, mounts, security)
        with (self.folder / f"{name}.{life}.log").open("ab") as log:
            return subprocess.Popen(
                # unshare makes the mounts this container's own; its first process is the container's
                [
                    "ip",
                    "netns",
                    "exec",
                    self.namespace,
                    "unshare",
                    "--mount",
                    "--uts",
                    "--pid",
                    "--fork",
                    "--kill-child",
                    "/bin/sh",
                    "-ec",
                    script,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._variables(), **environment},
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def _variables(self) -> dict[str, str]:
        """What a runtime sets besides the manifest's variables."""
        found = {"PATH": os.environ["PATH"], "HOME": "/tmp", "LANG": "C.UTF-8"}
        return found | ({"HOSTNAME": self.hostname} if self.hostname else {})

    def _script(
        self,
        layer: Path,
        container: Mapping[str, Any],
        command: Sequence[str],
        mounts: Sequence[Mount],
        security: Mapping[str, Any],
    ) -> str:
        root = str(layer / "root")
        lines = [
            *([f"echo {shlex.quote(self.hostname)} > /proc/sys/kernel/hostname"] if self.hostname else []),
            "mount --make-rprivate /",
            f"mount -t overlay overlay -o lowerdir=/,upperdir={layer}/upper,workdir={layer}/work {root}",
            # another file system's folders are not in the layer
            *(f"chmod -f o+rx {shlex.quote(f'{root}{one}')} || :" for one in closed_folders(os.environ["PATH"])),
            f"mount -t proc proc {root}/proc",
            f"mount --rbind /dev {root}/dev",
            f"mount --rbind /sys {root}/sys",
        ]
        if not any(mount.target == "/tmp" for mount in mounts) and not security.get("readOnlyRootFilesystem"):
            lines.append(f"mount -t tmpfs tmpfs {root}/tmp")
        for mount in mounts:
            source = mount.source / mount.sub_path if mount.sub_path else mount.source
            # links lead elsewhere in the container than here: Debian's /var/run is one
            target = shlex.quote(f"{root}{os.path.realpath(mount.target)}")
            make = (
                f"mkdir -p {target}"
                if not source.is_file()
                else f"mkdir -p $(dirname {target}); touch {target}"
            )
            lines += [make, f"mount --bind {shlex.quote(str(source))} {target}"]
            if mount.read_only:
                lines.append(f"mount -o remount,bind,ro {target}")
        if security.get("readOnlyRootFilesystem"):
            lines.append(f"mount -o remount,ro {root}")
        user, group = security.get("runAsUser", 0), security.get("runAsGroup", security.get("runAsUser", 0))
        groups = [str(one) for one in (security.get("fsGroup"), *security.get("supplementalGroups", ())) if one]
        # a change of user makes the kernel forget that this ends when its node does; it is said again after it
        become = ["setpriv", f"--reuid={user}", f"--regid={group}", "--pdeathsig=KILL"]
        become.append(f"--groups={','.join(groups)}" if groups else "--clear-groups")
        if security.get("allowPrivilegeEscalation") is False:
            become.append("--no-new-privs")
        if "ALL" in security.get("capabilities", {}).get("drop", []):
            become += ["--bounding-set=-all", "--inh-caps=-all"]
        folder = container.get("workingDir", "/")
        inner = f"cd {shlex.quote(folder)}; exec {shlex.join([*become, *command])}"
        lines.append(f"exec chroot {root} /bin/sh -ec {shlex.quote(inner)}")
        return "\n".join(lines)


def first_process(process: subprocess.Popen[bytes]) -> int | None:
    """The container's first process, which signals are for: the child of what ``unshare`` forked."""
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None


def tell(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to the container's first process; with SIGKILL all of its processes end."""
    target = first_process(process)
    try:
        os.kill(target if target is not None else process.pid, number)
        if number == signal.SIGKILL:
            process.kill()
    except ProcessLookupError:
        pass
