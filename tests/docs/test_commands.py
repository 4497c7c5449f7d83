"""Every command and program in the README and the pages runs, on small data in the place of the reader's own."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHIPPED = ROOT / "bundles/ct_lesion_segmentation/models/model.pt"
SMALL_SLICES = "--max_epochs 1 --bootstrap_samples 20"
SMALL_RECIPE = "--image_size [64,64] --patch_size [64,64] --network_def#backbone efficientnet-b0"
SMALL = "--max_epochs 1 --samples_per_epoch 2 --train_batch_size 1 --patch_size [32,32,32] --spacing_mm [5,5,5]"

SMALL_SPACE = """
search: {learning_rate: {low: 0.0001, high: 0.01, log: true}}
fixed: {max_epochs: 1, samples_per_epoch: 2, train_batch_size: 1, patch_size: [32, 32, 32], spacing_mm: [5, 5, 5]}
"""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.M | re.S)


def commands() -> list[str]:
    found = []
    for page in PAGES:
        for block in blocks(page, "bash"):
            lines = block.replace("\\\n", " ").splitlines()
            found += [line.split(" #")[0].strip() for line in lines if line.strip()]
    return found


@pytest.fixture(scope="session")
def places(tmp_path_factory):
    """What the words in the commands stand for."""
    from pipeline.phantom import PhantomSpec, write_phantom, write_phantom_dataset

    folder = tmp_path_factory.mktemp("docs")
    spec = PhantomSpec(seed=5, shape=(96, 96, 62), spacing_mm=(4.0, 4.0, 5.0))
    study = write_phantom(folder / "study", spec, format="dicom").ct
    clear = PhantomSpec(seed=6, spacing_mm=(4.0, 4.0, 4.0), lesions=())
    healthy = write_phantom(folder / "healthy", clear, format="nifti").ct
    write_phantom_dataset(
        folder / "data", seeds={"training": [1, 2], "validation": [3]}, spacing_mm=(5, 5, 5), workers=1
    )
    slices = write_slices(folder / "slices")
    (folder / "space.yaml").write_text(SMALL_SPACE)
    return {
        "SLICES": str(slices),
        "RUN_SLICES": str(folder / "run_slices"),
        "RUN_SLICES/best.pt": str(folder / "run_slices" / "best.pt"),
        "OUT_SLICES": str(folder / "out_slices"),
        "LABELLED": str(write_labels(folder, healthy, study)),
        **{name: str(folder / name.lower()) for name in ("RUN_WEAK", "PSEUDO_MASKS", "RUN_PSEUDO")},
        "COVIDX": str(write_radiographs(folder / "covidx")),
        "RUN_CXR": str(folder / "run_cxr"),
        "RUN_CXR/best.pt": str(folder / "run_cxr" / "best.pt"),
        "OUT_CXR": str(folder / "out_cxr"),
        "ARRAYS": str(write_arrays(folder / "arrays")),
        "RUN_RECIPE": str(folder / "run_recipe"),
        "RUN_RECIPE/best.pt": str(folder / "run_recipe" / "best.pt"),
        "OUT_RECIPE": str(folder / "out_recipe"),
        "STUDY": str(study),
        **write_studies(folder, study),
        "HEALTHY": str(healthy),
        "PAINTED": str(folder / "painted"),
        "DATA": str(folder / "data"),
        "OUT": str(folder / "out"),
        "OVERLAY.yaml": str(folder / "overlay.yaml"),
        "OUT_RAY": str(folder / "out_ray"),
        "SPACE.yaml": str(folder / "space.yaml"),
        "OUT_SEARCH": str(folder / "out_search"),
        "OUT_DATA": str(folder / "out_data"),
        "OUT_EVALUATION": str(folder / "out_evaluation"),
        "RUN": str(folder / "run"),
        "RUN_FOLD_0": str(folder / "fold_0"),
        "RUN_DEVICE": str(folder / "device"),
        "OUT_POOLED": str(folder / "out_pooled"),
        "OUT_ENSEMBLE": str(folder / "out_ensemble"),
        "RUN_BINARY": str(folder / "binary"),
        "APP": str(folder / "app"),
        "RUN_TUNED": str(folder / "tuned"),
        **{name: str(folder / name) for name in ("PHANTOM", "PHANTOM/ct", "PHANTOM/truth.nii.gz", "PHANTOM_OUT")},
        **{name: str(folder / name) for name in ("PHANTOM_OUT/ct/labels.nii.gz", "PHANTOM_OUT/evaluation")},
    }


def write_studies(folder: Path, study: Path) -> dict[str, str]:
    """Two patients with a study each, as a folder, a glob and a list, and where their results go."""
    studies = folder / "studies"
    for patient in ("one", "two"):
        shutil.copytree(study, studies / patient / "CT")
    (folder / "list.csv").write_text(f"case,path\none,{studies / 'one' / 'CT'}\ntwo,{studies / 'two' / 'CT'}\n")
    asked = {"STUDIES": studies, "STUDIES/*/CT": studies / "*" / "CT", "LIST.csv": folder / "list.csv"}
    results = {name: folder / name.lower() for name in ("OUT_FOLDER", "OUT_LIST", "OUT_GLOB")}
    return {name: str(path) for name, path in (asked | results).items()}


def write_arrays(folder: Path) -> Path:
    """Two slices of noise with masks of four channels."""
    import numpy as np

    folder.mkdir()
    generator = np.random.default_rng(0)
    np.save(folder / "images_a.npy", generator.normal(-500, 300, (3, 64, 64, 1)).astype(np.float32))
    np.save(folder / "masks_a.npy", np.eye(4, dtype=np.float32)[generator.integers(0, 4, (3, 64, 64))])
    return folder


def write_slices(folder: Path) -> Path:
    """Pictures of noise with a label and a split."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    generator = np.random.default_rng(0)
    rows = ["path,label,split"]
    for number in range(12):
        Image.fromarray(generator.integers(0, 255, (64, 64), dtype=np.uint8)).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{number % 2},{('train', 'val', 'test')[number // 4]}")
    (folder / "dataset.csv").write_text("\n".join(rows))
    return folder


def write_labels(folder: Path, healthy: Path, ill: Path) -> Path:
    """A list that says of each of three volumes whether it is ill."""
    again = folder / "again.nii.gz"
    again.write_bytes(healthy.read_bytes())
    rows = [f"{healthy},NonCOVID,train", f"{ill},COVID,train", f"{again},NonCOVID,val"]
    (folder / "labels.csv").write_text("\n".join(["path,label,split", *rows]))
    return folder / "labels.csv"


def write_radiographs(folder: Path) -> Path:
    """Pictures of noise in the layout of COVIDx."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
        lines = []
        for number in range(6):
            name = f"{number}.png"
            Image.fromarray(generator.integers(0, 255, (64, 64), dtype=np.uint8)).save(folder / split / name)
            lines.append(f"{split}{number} {name} {('normal', 'pneumonia', 'COVID-19')[number % 3]} drawn")
        (folder / f"{split}.txt").write_text("\n".join(lines))
    return folder


def ready_to_run(command: str, places: dict[str, str]) -> list[str]:
    words = [places.get(word, word) for word in shlex.split(command)]
    if "medseg_2d" in command:
        words += SMALL_RECIPE.split() + ([] if "inference" in command else ["--max_epochs", "1"])
    elif any("train.yaml" in word for word in words):
        words += (SMALL_SLICES if "ct_slice_classification" in command else SMALL).split()
    executable = Path(sys.executable)
    return [str(executable) if words[0] == "python" else str(executable.parent / words[0]), *words[1:]]


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in commands() if not command.startswith("make")])
def test_the_command_runs(command, places):
    if not SHIPPED.exists():
        pytest.skip("the bundle has no weights yet: run `make weights`")
    done = subprocess.run(ready_to_run(command, places), cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    asked = {word for command in commands() if command.startswith("make") for word in [command.split()[1]]}
    assert asked <= targets
    assert {"demo", "test"} <= asked


@pytest.mark.slow
def test_the_python_snippet_runs(places, tmp_path, monkeypatch):
    import torch

    from pipeline.phantom import PhantomSpec, write_phantom

    write_phantom(tmp_path, PhantomSpec(seed=5, shape=(96, 96, 40), spacing_mm=(4, 4, 8)), format="nifti")
    monkeypatch.chdir(tmp_path)
    network = torch.nn.Conv3d(1, 2, 1)
    for program in blocks(ROOT / "README.md", "python"):
        names = {"network": network}
        exec(program, names)
        assert names["label_map"].shape == (1, 96, 96, 40)


def test_the_painting_snippet_runs(tmp_path, monkeypatch):
    from pipeline.phantom import PhantomSpec, write_phantom

    write_phantom(tmp_path, PhantomSpec(seed=6, spacing_mm=(4.0, 4.0, 4.0), lesions=()), format="nifti")
    monkeypatch.chdir(tmp_path)
    for program in blocks(ROOT / "docs" / "synthesis.md", "python"):
        names = {}
        exec(program, names)
        assert names["label"].any()
        assert names["image"].shape == names["label"].shape == (1, *names["ct"].array.shape)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_are_well_formed_and_links_lead_somewhere(page):
    for block in blocks(page, "json"):
        json.loads(block)
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 150
