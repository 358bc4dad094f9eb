"""What is tested is what is shipped: the wheel has the files of the package, and nothing else."""

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest

import ngramspec

ROOT = Path(__file__).parents[1]
Contents = dict[str, bytes]
"""What lies in a folder or an archive: bytes by name, with forward slashes."""


COMPILED = "ngramspec/drafting/core/_native.abi3.so"
"""What is compiled into the wheel, for CPython 3.11 and all later versions."""


def contents_of(package: Path) -> Contents:
    """The files of a package in the folder `package`, named as in a wheel; bytecode left out."""
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(package.parent).as_posix(): path.read_bytes() for path in files}


def source() -> Contents:
    """The package as the source tree has it: the code, and the data that lie at the top; what was compiled left out."""
    grammars = {f"ngramspec/{name}": data for name, data in contents_of(ROOT / "grammars").items()}
    return without_compiled(contents_of(ROOT / "src" / "ngramspec") | grammars)


def without_compiled(contents: Contents) -> Contents:
    """All but the compiled core."""
    return {name: data for name, data in contents.items() if name != COMPILED}


def built(folder: Path, native: str) -> Path:
    """The wheel that the source tree makes, with NGRAMSPEC_NATIVE as given."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    environment = os.environ | {"NGRAMSPEC_NATIVE": native}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return path


def names_in(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


@pytest.fixture(scope="session")
def wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """The wheel that is under test, or, where the source tree is, the wheel that it makes."""
    path: Path | None = request.config.getoption("--wheel")
    if path is None:
        path = built(tmp_path_factory.mktemp("wheel"), "0")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def test_the_package_under_test_is_the_installed_wheel_where_one_is_given_and_else_the_source(
    request: pytest.FixtureRequest,
) -> None:
    """Neither can stand in for the other unnoticed, so this cannot pass with `--wheel` forgotten in CI."""
    given = request.config.getoption("--wheel") is not None
    home = Path(sysconfig.get_path("purelib")) if given else ROOT / "src"
    assert home / "ngramspec" == Path(ngramspec.__file__).parent


def test_the_package_under_test_is_the_wheel_byte_by_byte(wheel: Contents) -> None:
    home = Path(ngramspec.__file__).parent
    shipped = {name: data for name, data in wheel.items() if name.startswith("ngramspec/")}
    assert shipped == (source() if home == ROOT / "src" / "ngramspec" else contents_of(home))


def test_the_wheel_that_ci_tests_has_the_compiled_core(request: pytest.FixtureRequest, wheel: Contents) -> None:
    path: Path | None = request.config.getoption("--wheel")
    if path is None:
        pytest.skip("no wheel is given")
    assert COMPILED in wheel
    assert re.fullmatch(r"ngramspec-.*-cp311-abi3-(linux|macosx|win)_.*\.whl", path.name)


def test_the_source_makes_a_wheel_with_the_compiled_core(tmp_path: Path) -> None:
    """Where a compiler works; elsewhere `test_choosing.py` says what happens."""
    pytest.importorskip("ngramspec.drafting.core._native", reason="the compiled core is not installed")
    path = built(tmp_path, "1")
    assert re.fullmatch(r"ngramspec-.*-cp311-abi3-(linux|macosx|win)_.*\.whl", path.name)
    assert {*source(), COMPILED} == {name for name in names_in(path) if ".dist-info/" not in name}


def test_without_a_compiler_the_source_makes_a_pure_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if name != "NGRAMSPEC_NATIVE"}
    without = environment | {"CC": "/no/compiler", "CXX": "/no/compiler"}
    done = subprocess.run(command, cwd=ROOT, env=without, check=True, capture_output=True, text=True)
    assert 1 == (done.stdout + done.stderr).count("ngramspec is installed without its compiled core, and drafts slower")
    [path] = tmp_path.glob("*.whl")
    assert path.name.endswith("-py3-none-any.whl")
    assert set(source()) == {name for name in names_in(path) if ".dist-info/" not in name}
    wished = without | {"NGRAMSPEC_NATIVE": "1"}
    assert subprocess.run(command, cwd=ROOT, env=wished, check=False, capture_output=True).returncode


@pytest.mark.parametrize(
    "name",
    [
        "py.typed",
        "pico/model.safetensors",
        "pico/tokenizer.json",
        "pico/config.json",
        "decoding/fits.json",
        "grammars/sql-select.lark",
    ],
)
def test_what_is_no_python_is_in_the_wheel_too(wheel: Contents, name: str) -> None:
    assert f"ngramspec/{name}" in wheel


def test_the_wheel_declares_python_its_command_and_its_version(wheel: Contents) -> None:
    [metadata] = [BytesParser().parsebytes(data) for name, data in wheel.items() if name.endswith("/METADATA")]
    [commands] = [data.decode() for name, data in wheel.items() if name.endswith("/entry_points.txt")]
    assert ">=3.11" == metadata["Requires-Python"]
    assert "ngramspec" == metadata["Name"]
    assert metadata["Version"] in next(name for name in wheel if name.endswith("/METADATA"))
    assert "ngramspec = ngramspec.cli:main" in commands


def test_the_version_is_the_same_wherever_it_stands() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    [cited] = re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.MULTILINE)
    newest = re.findall(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)[0]
    assert [ngramspec.__version__] * 3 == [project["version"], cited, newest]


def test_the_readme_of_the_wheel_is_the_readme_with_names_of_files_instead_of_links_to_them(wheel: Contents) -> None:
    """An index of packages shows it, and has no such files."""
    [metadata] = [data.decode() for name, data in wheel.items() if name.endswith("/METADATA")]
    head, _, shown = metadata.partition("\n\n")
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "Description-Content-Type: text/markdown" in head.splitlines()
    assert [] == re.findall(r"\]\((?!https?:).*?\)", shown)
    linked = re.findall(r"\]\((?!https?:)([^#)]*).*?\)", readme)
    assert linked
    assert [] == [path for path in linked if path not in shown]
    assert [line for line in readme.splitlines() if "](" not in line] == [
        line for line in shown.splitlines() if line in readme.splitlines()
    ]
