"""Classifying pictures and whole volumes through the bundle's own command."""

import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from pipeline.phantom import PhantomSpec, make_phantom

SHIPPED_THRESHOLD = 0.62
"""Chosen on validation for the shipped weights, whose place the tests' weights take."""


@pytest.fixture(scope="module")
def chest_ct(tmp_path_factory):
    phantom = make_phantom(PhantomSpec(seed=2, spacing_mm=(4.0, 4.0, 6.0)))
    path = tmp_path_factory.mktemp("ct") / "chest.nii.gz"
    nib.save(nib.Nifti1Image(phantom.hu, phantom.affine), path)
    return path


@pytest.fixture(scope="module")
def volume(classify, chest_ct, tmp_path_factory):
    """The results of a volume with two slices of Grad-CAM."""
    out = tmp_path_factory.mktemp("volume")
    result = classify(chest_ct, out, gradcam=2)
    assert result.returncode == 0, result.stderr
    return out


@pytest.fixture(scope="module")
def pictures(classify, slice_data, tmp_path_factory):
    """The results of a folder of pictures, some of them broken, each in its own way."""
    folder, out = tmp_path_factory.mktemp("pictures"), tmp_path_factory.mktemp("out")
    for number, source in enumerate(sorted((slice_data / "CT_COVID").iterdir())[:3]):
        (folder / f"{number}{source.suffix}").write_bytes(source.read_bytes())
    (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:200])
    (folder / "empty.png").touch()
    with Image.open(folder / "0.png") as picture:
        gray = np.asarray(picture.convert("L"))
    Image.fromarray(gray.astype(np.uint16) * 16).save(folder / "deep.png")
    Image.fromarray(gray).convert("CMYK").save(folder / "print.jpg")
    result = classify(folder, out, gradcam=1)
    return folder, out, result


def test_each_picture_is_a_row_and_a_broken_one_a_row_with_its_error(pictures, table):
    _, out, result = pictures
    assert result.returncode == 1
    assert "4 of 7 cases failed: broken, deep, empty, print" in result.stderr
    rows = {row["case"]: row for row in table(out / "predictions.csv")}
    assert list(next(iter(rows.values()))) == ["case", "slice", "p_NonCOVID", "p_COVID", "predicted", "note"]
    for name in "012":
        row = rows[name]
        assert row["slice"] == "0"
        assert float(row["p_NonCOVID"]) + float(row["p_COVID"]) == pytest.approx(1, abs=1e-5)
        assert row["predicted"] == ("COVID" if float(row["p_COVID"]) >= SHIPPED_THRESHOLD else "NonCOVID")
    notes = {"broken": "cut short or corrupt", "empty": "0 bytes", "deep": "more than 8 bits", "print": "CMYK"}
    for name, words in notes.items():
        assert words in rows[name]["note"]
        assert rows[name]["predicted"] == ""
    status = {row["case"]: row["status"] for row in table(out / "cases.csv")}
    assert status == dict.fromkeys("012", "done") | dict.fromkeys(notes, "failed")


def test_an_overlay_has_the_size_of_its_picture(pictures):
    folder, out, _ = pictures
    for name in ("0.png", "1.png"):
        source = next(path for path in folder.iterdir() if path.stem == name[0])
        with Image.open(source) as picture, Image.open(out / name[0] / "gradcam" / "slice_0000.png") as overlay:
            assert overlay.size == picture.size
            assert overlay.mode == "RGB"


def test_provenance_is_there_and_says_what_was_done(pictures):
    _, out, _ = pictures
    record = json.loads((out / "0" / "provenance.json").read_text())
    assert record["bundle"]["name"] == "CT slice classification"
    assert record["bundle"]["weights_hash"].startswith("sha256:")
    assert record["options"]["threshold"] == SHIPPED_THRESHOLD
    assert "gradcam/slice_0000.png" in record["files"]
    assert not (out / "broken" / "provenance.json").exists()


def test_a_volume_has_a_row_a_slice_and_a_probability(volume, chest_ct, table):
    rows = table(volume / "predictions.csv")
    depth = nib.load(chest_ct).shape[2]
    assert [row["slice"] for row in rows] == [str(index) for index in range(depth)]
    said = [row for row in rows if row["note"] == ""]
    assert 20 < len(said) < depth
    assert all(row["note"] == "no lung" and row["p_COVID"] == "" for row in rows if row not in said)
    (case,) = table(volume / "cases.csv")
    highest = sorted((float(row["p_COVID"]) for row in said), reverse=True)
    top = highest[: -(-len(said) // 5)]
    assert float(case["p_COVID"]) == pytest.approx(np.mean(top), abs=1e-4)
    assert int(case["slices_with_lung"]) == len(said)


def test_a_volume_shows_its_curve_and_its_most_suspicious_slices(volume, chest_ct, table):
    rows = [row for row in table(volume / "predictions.csv") if row["p_COVID"]]
    suspicious = sorted(rows, key=lambda row: -float(row["p_COVID"]))[:2]
    names = {f"slice_{int(row['slice']):04d}.png" for row in suspicious}
    assert {path.name for path in (volume / "chest" / "gradcam").iterdir()} == names
    shape = nib.load(chest_ct).shape
    for name in names:
        with Image.open(volume / "chest" / "gradcam" / name) as overlay:
            assert overlay.size == shape[:2]
    assert (volume / "chest" / "curve.png").stat().st_size > 1000


def test_a_volume_without_lung_fails_with_a_message(classify, tmp_path, table):
    hu = np.full((60, 60, 20), -1000, dtype=np.int16)
    hu[15:45, 15:45] = 40
    nib.save(nib.Nifti1Image(hu, np.diag([4.0, 4.0, 5.0, 1.0])), tmp_path / "leg.nii.gz")
    result = classify(tmp_path / "leg.nii.gz", tmp_path / "out")
    assert result.returncode == 1
    (row,) = table(tmp_path / "out" / "predictions.csv")
    assert "no lungs are found" in row["note"]


@pytest.mark.slow
def test_mirrored_views_change_the_result_and_the_command_line_gives_the_same(
    classify, run_ctvol, tiny_slice_bundle, chest_ct, volume, tmp_path, table
):
    result = classify(chest_ct, tmp_path / "tta", flips=[[], [-1]])
    assert result.returncode == 0, result.stderr
    one, both = (float(table(out / "cases.csv")[0]["p_COVID"]) for out in (volume, tmp_path / "tta"))
    assert one != both
    done = run_ctvol(
        "classify", chest_ct, "-o", tmp_path / "cli", "--bundle", tiny_slice_bundle, "--device", "cpu", "--tta"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cli" / "predictions.csv").read_text() == (tmp_path / "tta" / "predictions.csv").read_text()
