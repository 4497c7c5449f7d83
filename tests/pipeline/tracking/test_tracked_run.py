"""What of a tracked run can be tried without a tracker."""

import pytest

from pipeline.tracking import begin, conclude
from pipeline.tracking.tracked_run import _loss, cohort_figures, weights_files, written

TABLE = """case,status,error,seconds,lung_volume_ml,severity
a,done,,2.0,4000,3
b,done,,4.0,,5
c,failed,"cut, short",1.0,,
"""


def test_figures_are_means_over_what_is_done(tmp_path):
    (tmp_path / "cases.csv").write_text(TABLE)
    assert cohort_figures(tmp_path / "cases.csv") == pytest.approx(
        {"cases_done": 2, "cases_failed": 1, "mean_seconds": 3, "mean_lung_volume_ml": 4000, "mean_severity": 4}
    )
    assert cohort_figures(tmp_path / "nothing.csv") == {}


def test_tables_and_pictures_are_kept_and_neither_volumes_nor_the_trackers_own(tmp_path):
    for name in ("cases.csv", "a/preview.png", "a/labels.nii.gz", "mlruns/1/x.json", "tensorboard/y.csv", "mlruns.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in written(tmp_path)] == ["a/preview.png", "cases.csv"]


def test_weights_of_an_ensemble_are_kept_apart(tmp_path):
    one, other = tmp_path / "a" / "best.pt", tmp_path / "b" / "best.pt"
    for path in (one, other):
        path.parent.mkdir()
        path.touch()
    assert weights_files([str(one), tmp_path / "gone.pt"]) == [("bundle/models", one)]
    assert weights_files([[str(one), str(other)]]) == [("bundle/models/0", one), ("bundle/models/1", other)]


def test_without_a_tracker_nothing_is_done(tmp_path):
    from pathlib import Path

    bundle = Path(__file__).parents[3] / "bundles" / "ct_lesion_segmentation"
    begin([object()], bundle, None, {"mode": "fast"})
    conclude([object()], bundle, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_loss_is_found_whether_a_batch_was_taken_apart_or_not():
    assert _loss({"loss": 0.5, "pred": None}) == 0.5
    assert _loss([{"loss": 0.5}, {"loss": 0.5}]) == 0.5
    assert _loss({"pred": 1}) is None
