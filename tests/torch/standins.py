"""Stand-ins for the GPU libraries that PyTorch's Linux build loads and, without a GPU, never calls.

There is no build of PyTorch for CPUs in the package index that this project uses. The one that is there names a
dozen libraries of NVIDIA's, 3 GB of them, and does not load unless each is found. On a machine without a GPU
none of their functions is called: whether there is a GPU is asked of the CUDA runtime, which is real and small.
So for each library that is missing a shared library is compiled here that has its name and the functions that
PyTorch refers to; each of them ends the process and says which one it was. PyTorch itself is not touched.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

TOOLS = ("cc", "readelf", "nm")
DRIVER = "libcuda.so.1"
"""Comes with a GPU's driver, and is asked for only where there is one."""
_GPU = re.compile(r"lib(cu|nccl|nv)\w*\.so\.\d+")
_NEEDED = re.compile(r"\(NEEDED\).*\[(.+)\]")
_FILE = re.compile(r"File: (\S+)")
_NAME = re.compile(r"Name: (\S+)\s+Flags: \S+\s+Version: \d+")


def missing_tools() -> list[str]:
    """Programs that making stand-ins needs and that are not installed."""
    return [name for name in TOOLS if shutil.which(name) is None]


def make(packages: Path) -> list[str]:
    """Compile what is missing into PyTorch's own folder of libraries.

    Args:
        packages: The ``site-packages`` that hold PyTorch and what is real of NVIDIA's.

    Returns:
        Names of the libraries that were made.

    Raises:
        subprocess.CalledProcessError: They could not be compiled.
    """
    folder = packages / "torch" / "lib"
    present = {file.name for file in packages.glob("nvidia/**/lib*.so*")} | {DRIVER}
    libraries = sorted(folder.glob("*.so"))
    missing = sorted({name for one in libraries for name in _needed(one)} - present)
    functions: dict[str, dict[str, set[str]]] = {name: defaultdict(set) for name in missing}
    for library in libraries:
        files = _versions(library)
        for symbol, version in _undefined(library):
            file = files.get(version) or (_by_name(symbol, missing) if not version else None)
            if file in functions:
                functions[file][version].add(symbol)
    for name in missing:
        _compile(folder / name, functions[name])
    return missing


def _needed(library: Path) -> list[str]:
    found = _NEEDED.findall(_run("readelf", "-dW", str(library)))
    return [name for name in found if _GPU.fullmatch(name)]


def _versions(library: Path) -> dict[str, str]:
    """Symbol version to the file that has to define it."""
    found, file = {}, ""
    for line in _run("readelf", "-VW", str(library)).splitlines():
        if match := _FILE.search(line):
            file = match[1]
        elif (match := _NAME.search(line)) and _GPU.fullmatch(file):
            found[match[1]] = file
    return found


def _undefined(library: Path) -> list[tuple[str, str]]:
    words = (line.split()[-1] for line in _run("nm", "-D", "--undefined-only", str(library)).splitlines())
    return [(symbol, version) for symbol, _, version in (word.partition("@") for word in words)]


def _by_name(symbol: str, libraries: list[str]) -> str | None:
    """The library that a symbol without a version belongs to: the one whose name it begins with."""
    stems = {name: name[3:].partition(".")[0].lower() for name in libraries}
    fitting = [name for name, stem in stems.items() if symbol.lower().startswith(stem)]
    return max(fitting, key=len, default=None)


def _compile(path: Path, functions: dict[str, set[str]]) -> None:
    lines = ["#include <stdio.h>", "#include <stdlib.h>"]
    for symbol in sorted({one for group in functions.values() for one in group}):
        text = f"{symbol} of {path.name} was called: a stand-in for machines without a GPU\\n"
        lines.append(f'void {symbol}(void) {{ fputs("{text}", stderr); abort(); }}')
    script = ""
    for version, symbols in functions.items():
        if version:
            script += f"{version} {{ global: {''.join(f'{one}; ' for one in sorted(symbols))}}};\n"
    source, versions = path.with_suffix(".c"), path.with_suffix(".versions")
    source.write_text("\n".join(lines) + "\n")
    versions.write_text(script)
    options = ["-w", "-fno-builtin", "-shared", "-fPIC", f"-Wl,-soname,{path.name}"]
    if script:
        options.append(f"-Wl,--version-script={versions}")
    _run("cc", *options, "-o", str(path), str(source))
    source.unlink()
    versions.unlink()


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
