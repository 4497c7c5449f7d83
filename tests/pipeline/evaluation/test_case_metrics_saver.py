import csv
import json

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.bundle import ConfigParser
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.inferers import SimpleInferer
from monai.transforms import AsDiscreted

from pipeline.cohorts import CaseDataset, CaseEvaluator
from pipeline.evaluation import CaseMetricsSaver
from transforms.errors import GeometryError, SettingError

CLASSES = {"background": 0, "lesion": 1}


class Classify(torch.nn.Module):
    """Logits of two classes that follow the image."""

    def forward(self, image):
        return torch.cat([1 - image, image], dim=1)


def case(name, pred_planes, label_planes, spacing=2.0):
    image, label = torch.zeros(2, 1, 8, 8, 8).unbind()
    image[:, :pred_planes], label[:, :label_planes] = 1, 1
    affine = torch.diag(torch.tensor([spacing, spacing, spacing, 1.0], dtype=torch.float64))
    found = {"image": MetaTensor(image, affine=affine), "label": MetaTensor(label.to(torch.uint8), affine=affine)}
    return {**found, **({"case": name} if name else {})}


def evaluate(cases, handler, batch_size=1):
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(cases), batch_size=batch_size),
        network=Classify(),
        postprocessing=AsDiscreted(keys="pred", argmax=True),
        val_handlers=[handler],
    )
    evaluator.run()


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("batch_size", [1, 2])
def test_an_evaluator_leaves_metrics_of_every_case(tmp_path, batch_size):
    handler = ConfigParser(
        {"_target_": "pipeline.evaluation.CaseMetricsSaver", "output_dir": str(tmp_path), "classes": CLASSES}
    ).get_parsed_content("")
    evaluate([case("x", 4, 4), case("y", 2, 6), case("z", 0, 4)], handler, batch_size)
    found = {row["case"]: row for row in rows(tmp_path)}
    assert list(found) == ["x", "y", "z"]
    assert [float(found[name]["dice"]) for name in "xyz"] == [1.0, 0.5, 0.0]
    # y: surfaces of 2 and of 6 planes; the sixth plane is 4 planes of 2 mm from the second.
    assert [float(found[name]["hd95_mm"]) for name in "xyz"] == [0.0, 8.0, pytest.approx(16 * np.sqrt(3), abs=1e-6)]
    assert float(found["y"]["volume_truth_ml"]) == pytest.approx(6 * 64 * 0.008)
    summary = json.loads((tmp_path / "metrics.json").read_text())
    assert summary["classes"]["lesion"]["dice"]["mean"] == pytest.approx(0.5)


def test_a_second_run_starts_anew(tmp_path):
    handler = CaseMetricsSaver(tmp_path, CLASSES)
    evaluate([case("x", 4, 4)], handler)
    evaluate([case("y", 4, 4)], handler)
    assert [row["case"] for row in rows(tmp_path)] == ["y"]


def test_cases_without_or_with_the_same_name_are_all_kept(tmp_path):
    evaluate([case("x", 4, 4), case("x", 2, 6)], CaseMetricsSaver(tmp_path / "same", CLASSES))
    assert [(row["case"], row["dice"]) for row in rows(tmp_path / "same")] == [("x", "1.0"), ("x-2", "0.5")]
    evaluate([case(None, 4, 4), case(None, 2, 6)], CaseMetricsSaver(tmp_path / "none", CLASSES))
    assert [row["case"] for row in rows(tmp_path / "none")] == ["case_0", "case_1"]


def update(handler, **output):
    engine = Engine(lambda engine, batch: None)
    engine.state.output, engine.state.batch = [output], [{"case": "x"}]
    handler.update(engine)


def test_what_cannot_be_compared_is_said(tmp_path):
    handler = CaseMetricsSaver(tmp_path, CLASSES)
    label = case("x", 4, 4)["label"]
    with pytest.raises(SettingError, match="x: nothing to compare under the key `label`"):
        update(handler, pred=label)
    with pytest.raises(GeometryError, match="x: prediction and reference are not on one grid"):
        update(handler, pred=case("x", 4, 4, spacing=1.0)["label"], label=label)
    with pytest.raises(GeometryError, match="spacing is not known"):
        update(handler, pred=label.as_tensor(), label=label.as_tensor())
    update(handler, pred=label.as_tensor(), label=label)
    assert handler.cases["x"].metrics["lesion"].dice == 1.0


class Load:
    """A case of a data set: failing when it is asked to."""

    def __call__(self, data):
        if data["case"] == "bad":
            raise GeometryError("its slices lie anywhere")
        return data


def test_a_case_evaluator_leaves_failures_patients_and_calibration(tmp_path):
    items = [
        {**case(name, *planes), "patient": "p"} for name, planes in (("x", (4, 4)), ("bad", (4, 4)), ("y", (2, 6)))
    ]
    loader = torch.utils.data.DataLoader(CaseDataset(items, Load()), batch_size=None)
    evaluator = CaseEvaluator(
        device="cpu",
        val_data_loader=loader,
        network=Classify(),
        inferer=SimpleInferer(),
        postprocessing=AsDiscreted(keys="pred", argmax=True),
        val_handlers=[CaseMetricsSaver(tmp_path, CLASSES, activation="softmax")],
    )
    evaluator.run()
    found = rows(tmp_path)
    assert [(row["case"], row["patient"], row["class"]) for row in found] == [
        ("x", "p", "lesion"), ("bad", "bad", ""), ("y", "p", "lesion"),
    ]  # fmt: skip
    assert "its slices lie anywhere" in found[1]["error"]
    # Logits of 0 and 1: 0.731 of the class that is said. In x every voxel is right, in y half of them.
    assert float(found[0]["calibration_error"]) == pytest.approx(1 - 0.7310586, abs=1e-5)
    assert float(found[2]["calibration_error"]) == pytest.approx(
        0.25 * (1 - 0.7310586) + 0.75 * (4 / 6 - 0.2689414), abs=1e-5
    )
    summary = json.loads((tmp_path / "metrics.json").read_text())
    assert (summary["cases"], summary["patients"], list(summary["failed"])) == (2, 1, ["bad"])
    assert "its slices lie anywhere" in (tmp_path / "report.html").read_text()


def test_processes_are_gathered_by_name(tmp_path, monkeypatch):
    one, two = CaseMetricsSaver(tmp_path, CLASSES), CaseMetricsSaver(tmp_path, CLASSES)
    label = case("x", 4, 4)["label"]
    update(one, pred=label, label=label, case="a")
    update(one, pred=label, label=label, case="b")
    update(two, pred=label, label=label, case="b")
    update(two, pred=label, label=label, case="c")
    monkeypatch.setattr("ignite.distributed.get_world_size", lambda: 2)
    monkeypatch.setattr("ignite.distributed.all_gather", lambda part: [one.cases, two.cases])
    one.finish(Engine(lambda engine, batch: None))
    assert [row["case"] for row in rows(tmp_path)] == ["a", "b", "c"]
