"""What is tested is what is shipped: the wheel is the package, file by file, and nothing else."""

import subprocess
import sys
import sysconfig
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest

import ngramspec

ROOT = Path(__file__).parents[1]
Contents = dict[str, bytes]
"""What lies in a folder or an archive: bytes by name, with forward slashes."""


def contents_of(package: Path) -> Contents:
    """The files of a package in the folder `package`, named as in a wheel; bytecode left out."""
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(package.parent).as_posix(): path.read_bytes() for path in files}


def source() -> Contents:
    """The package as the source tree has it: the code, and the data that lie at the top."""
    grammars = {f"ngramspec/{name}": data for name, data in contents_of(ROOT / "grammars").items()}
    return contents_of(ROOT / "src" / "ngramspec") | grammars


@pytest.fixture(scope="session")
def wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """The wheel that is under test, or, where the source tree is, the wheel that it makes."""
    path: Path | None = request.config.getoption("--wheel")
    if path is None:
        folder = tmp_path_factory.mktemp("wheel")
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        [path] = folder.glob("*.whl")
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


def test_the_wheel_holds_the_source_of_the_package_and_nothing_else(wheel: Contents) -> None:
    metadata = {name for name in wheel if name.startswith("ngramspec-") and ".dist-info/" in name}
    assert set(source()) == set(wheel) - metadata
    assert {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"} == {
        name.partition(".dist-info/")[2] for name in metadata
    }


@pytest.mark.parametrize(
    "name",
    ["py.typed", "pico/model.safetensors", "pico/tokenizer.json", "pico/config.json", "grammars/sql-select.lark"],
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
