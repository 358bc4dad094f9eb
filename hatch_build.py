"""Compiles the hot core (`native/`) into the package, and turns README.md into what a package index shows.

Without a working compiler the wheel is pure Python, and the build says so.

NGRAMSPEC_NATIVE=1 in the environment makes a failure an error, as for published wheels; 0 skips the core.
The extension is built for the stable ABI, so one wheel serves CPython 3.11 and all later versions.
"""

import hashlib
import os
import re
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

VARIABLE = "NGRAMSPEC_NATIVE"
ABI = "0x030B0000"
"""The stable ABI of CPython 3.11, the first that has the buffer protocol."""
FLAGS = ["-std=c++17", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-g0"]
"""For GCC and Clang. Products and sums are rounded separately, as in Python."""
PACKAGE = "ngramspec/drafting/core"


RELATIVE_LINK = re.compile(r"\[([^\[\]]+)\]\((?!\w+:)([^()#]+)[^()]*\)")
"""A Markdown link to a file of this repository: its text, and the file."""


class ReadmeHook(MetadataHookInterface):
    """The README for the metadata: a package index does not have the files that it links to."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the README, with file names instead of links to files."""
        text = Path(self.root, "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": without_links(text)}


def without_links(text: str) -> str:
    """Markdown whose links to files of this repository are replaced by their text, and the file name if it differs."""
    return RELATIVE_LINK.sub(lambda found: _named(found[1], found[2]), text)


def _named(words: str, path: str) -> str:
    return words if words == path else f"{words} (`{path}`)"


class NativeHook(BuildHookInterface):
    """Adds `ngramspec/drafting/core/_native.abi3.so` to a wheel, or to the sources of an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell hatchling the result."""
        wish = os.environ.get(VARIABLE)
        if wish not in (None, "", "0", "1"):
            raise ValueError(f"{VARIABLE} must be 1, 0 or not set, got {wish!r}")
        if wish == "0":
            return
        self._folder = tempfile.TemporaryDirectory()
        try:
            built = compiled(Path(self.root, "native"), Path(self._folder.name))
        except Exception as error:  # of any kind, if a compiler or tool is missing or fails
            if wish == "1":
                raise
            self.app.display_warning(f"ngramspec is installed without its compiled core, and drafts slower: {error}")
            return
        if version == "editable":
            target = Path(self.root, "src", PACKAGE, built.name)
            os.replace(shutil.copyfile(built, target.with_suffix(".new")), target)  # a process may be using it
        else:
            build_data["force_include"][str(built)] = f"{PACKAGE}/{built.name}"
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{platform()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Clean up, after the wheel is written."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def digest(sources: Path) -> str:
    """Digest of all source files in the folder `sources`; the extension has that of the files it was compiled from."""
    found = hashlib.sha256()
    for path in sorted(sources.iterdir()):
        if path.suffix in (".hpp", ".pyx"):
            found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def compiled(sources: Path, folder: Path) -> Path:
    """Compile `sources` in the empty `folder`; returns the path of the extension."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise RuntimeError("the compiled core needs CPython's stable ABI, which this Python does not have")
    extension = Extension(
        "_native",
        [str(sources / "_native.pyx")],
        include_dirs=[str(sources)],
        extra_compile_args=FLAGS,
        define_macros=[("Py_LIMITED_API", ABI), ("NGRAMSPEC_SOURCES", f'"{digest(sources)}"')],
        py_limited_api=True,
        language="c++",
    )
    build = Distribution({"ext_modules": cythonize([extension], build_dir=str(folder), quiet=True)})
    command = build.get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "temp")
    command.ensure_finalized()
    command.run()
    [found] = (folder / "lib").glob("_native*")
    return found


def platform() -> str:
    """The platform tag of the wheel, from which auditwheel makes one for many Linux distributions."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")  # cibuildwheel sets what this is on a Mac
