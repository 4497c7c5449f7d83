"""`ctvol inspect`: status, JSON, speed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli import ctvol
from pipeline.phantom import Phantom, PhantomSpec, write_phantom
from transforms.errors import NotFoundError

DOCS = Path(__file__).parents[3] / "docs"


def inspect(*arguments):
    return CliRunner().invoke(ctvol, ["inspect", *map(str, arguments)])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A whole series, one with a gap, one that is no series."""
    root = tmp_path_factory.mktemp("inspect")
    hu = np.zeros((8, 8, 12), np.int16)
    empty = np.zeros(hu.shape, np.uint8)
    for seed, (name, gapped) in enumerate((("whole", False), ("gapped", True))):
        phantom = Phantom(
            spec=PhantomSpec(seed=seed, shape=hu.shape),
            hu=hu,
            labels=empty,
            lungs=empty,
            affine=np.diag([-1.0, -1.0, 2.0, 1.0]),
        )
        write_phantom(root / f".{name}", phantom, gapped=gapped).ct.rename(root / name)
    (root / "broken").mkdir()
    (root / "broken" / "a.dcm").write_bytes(b"")
    return root


@pytest.mark.parametrize(
    ("names", "options", "status"),
    [
        (["whole"], [], 0),
        (["gapped"], [], 1),
        (["gapped"], ["--allow", "uneven"], 0),
        (["broken"], [], 2),
        (["whole", "broken"], [], 1),
        (["whole", "gapped"], [], 1),
        (["whole", "gapped"], ["--allow", "uneven"], 0),
    ],
)
def test_the_exit_status(folders, names, options, status):
    result = inspect(*(folders / name for name in names), *options)
    assert result.exit_code == status
    assert all(f"{name}: " in result.stdout for name in names)
    assert result.stderr == ""


def test_json_holds_what_the_text_holds(folders):
    result = inspect(folders / "whole", folders / "gapped", "--json")
    whole, gapped = json.loads(result.stdout)["cases"]
    assert whole["case"] == "whole"
    assert whole["verdict"] == {
        "kind": "read",
        "needs": [],
        "error_kind": None,
        "error": None,
        "still": None,
        "sentence": "will be read",
    }
    assert whole["volume"] == {
        "shape": [8, 8, 12],
        "spacing_mm": [1.0, 1.0, 2.0],
        "plane": "axial",
        "oblique_degrees": 0.0,
    }
    assert gapped["verdict"]["needs"] == ["uneven"]
    assert gapped["series"][0]["gaps"] == [
        {"start_mm": 6.0, "end_mm": 12.0, "width_mm": 6.0},
        {"start_mm": 14.0, "end_mm": 18.0, "width_mm": 4.0},
    ]


def keys(value):
    """The names in an object, with those of the first of each list."""
    if isinstance(value, list):
        return [keys(value[0])] if value else []
    return {name: keys(inner) for name, inner in value.items()} if isinstance(value, dict) else None


def test_the_example_in_the_pages_has_the_names_of_the_real_one(folders):
    (block,) = re.findall(r"^```json\n(.*?)^```", (DOCS / "inputs.md").read_text(), flags=re.M | re.S)
    (told,) = json.loads(block)["cases"]
    (real,) = json.loads(inspect(folders / "whole", "--json").stdout)["cases"]
    assert {**keys(told), "passed_over": {}, "repairs": []} == {**keys(real), "repairs": []}


def test_what_a_search_left_out_is_in_the_json(folders, tmp_path):
    (folders / "mask.nii").write_bytes(b"nothing")
    left_out = json.loads(inspect(folders, "--json").stdout)["left_out"]
    assert left_out == [[str(folders), "1 file(s) named as masks left out"]]


def test_a_pattern_and_a_series_uid_choose(folders):
    assert inspect(folders, "--pattern", "who*").exit_code == 0
    assert isinstance(inspect(folders, "--pattern", "who*", "--series-uid", "1.2.3").exception, NotFoundError)


def test_a_series_over_two_folders_is_looked_at_as_one(folders, tmp_path):
    for number, path in enumerate(sorted((folders / "whole").iterdir())):
        half = tmp_path / "study" / ("first" if number < 5 else "second")
        half.mkdir(parents=True, exist_ok=True)
        (half / path.name).write_bytes(path.read_bytes())
    result = inspect(tmp_path, "--json")
    (case,) = json.loads(result.stdout)["cases"]
    assert (case["case"], case["path"], case["volume"]["shape"]) == ("study", str(tmp_path / "study"), [8, 8, 12])


def ctvol_process(*arguments):
    code = "import sys; sys.argv[0] = 'ctvol'; from pipeline.cli import main; main()"
    command = [sys.executable, "-P", "-c", code, "inspect", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments", [["nowhere"], ["--allow", "anything", "."], ["--pattern", "*.none", "."], []], ids=" ".join
)
def test_a_wrong_command_line_is_status_2_and_one_message(arguments, tmp_path):
    result = ctvol_process(*(str(tmp_path) if word == "." else word for word in arguments))
    assert (result.returncode, result.stdout) == (2, "")
    assert "rror: " in result.stderr
    assert "Traceback" not in result.stderr


def test_headers_are_looked_at_without_heavy_packages(folders):
    code = (
        "import sys; from click.testing import CliRunner; from pipeline.cli import ctvol;"
        "result = CliRunner().invoke(ctvol, ['inspect', sys.argv[1]]); assert result.exit_code == 0, result.output;"
        "print({'torch', 'monai', 'SimpleITK', 'nibabel', 'scipy', 'pandas'} & set(sys.modules))"
    )
    command = [sys.executable, "-P", "-c", code, str(folders / "whole")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "set()\n", done.stderr


def test_a_whole_chest_is_looked_at_in_two_seconds(real_data):
    ctvol_process(real_data / "chest-lidc-0314")  # which may have to compile
    before = os.times()
    result = ctvol_process(real_data / "chest-lidc-0314")
    after = os.times()
    assert result.returncode == 0, result.stderr
    # Of the processor, not on the clock: a busy machine is no slow command.
    assert after.children_user + after.children_system - before.children_user - before.children_system < 2
