"""What holds over the whole tree: who imports whom, how long files are, that every public name is there."""

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("transforms", "pipeline")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LONGEST_FILE = 300
LONGEST_FUNCTION = 45


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: relative import"
            names.add(str(node.module))
    return names


def packages_loaded_by(statement: str) -> set[str]:
    """Top-level packages that a fresh Python has loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("path", [path for path in MODULES if path.is_relative_to(ROOT / "transforms")], ids=name_of)
def test_transforms_know_nothing_of_the_pipeline(path):
    assert not {name for name in imported(path) if name.partition(".")[0] in ("pipeline", "bundles", "tests")}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_file_tells_one_story(path):
    assert len(path.read_text().splitlines()) <= LONGEST_FILE
    assert path.stem not in ("utils", "helpers", "common", "misc")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_stay_short(path):
    """Parameters and docstring left aside: what is read from top to bottom is short."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= LONGEST_FUNCTION, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_left_to_do(path):
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", path.read_text())


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_package_neither_prints_nor_exits_nor_asserts(path):
    if path.is_relative_to(ROOT / "pipeline" / "cli"):
        pytest.skip("the command line may")
    tree = ast.parse(path.read_text())
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not calls & {"print", "exit", "quit"}
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_broad_catch_says_why(path):
    lines = path.read_text().splitlines()
    for line in lines:
        if re.search(r"except\s*(\(?\s*(Base)?Exception\b|:)", line):
            assert "# boundary:" in line


def test_every_public_name_of_transforms_can_be_imported():
    stub = ast.parse((ROOT / "transforms" / "__init__.pyi").read_text())
    names = [alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    transforms = importlib.import_module("transforms")
    assert len(names) == len(set(names)) > 10
    for name in names:
        assert getattr(transforms, name).__name__ == name
        assert name in dir(transforms)


def test_every_part_of_the_pipeline_hands_out_its_names():
    pipeline = importlib.import_module("pipeline")
    for part in dir(pipeline):
        module = getattr(pipeline, part)
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"pipeline.{part}.{name}"


@pytest.mark.parametrize("statement", ["import pipeline.cli", "import pipeline", "import transforms"])
def test_the_doors_are_light(statement):
    assert not packages_loaded_by(statement) & {"torch", "monai", "numpy", "scipy", "pydicom", "nibabel"}


def test_finding_cases_needs_no_torch():
    assert not packages_loaded_by("import pipeline.datasets.studies") & {"torch", "monai"}


def test_reading_headers_needs_no_torch():
    assert not packages_loaded_by("import transforms.reading.load") & {"torch", "monai"}
