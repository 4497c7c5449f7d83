"""Spaces, and searches over a training that is made up: what is drawn, what is kept, what is taken up again."""

import csv
from pathlib import Path

import pytest
import yaml

from pipeline.search import SearchSettings, Space, read_space, search
from pipeline.search.training import Progress, Training
from transforms.errors import SettingError, UnreadableError

SPACE = """
search:
  learning_rate: {low: 0.0001, high: 0.01, log: true}
  train_batch_size: {low: 1, high: 4}
  patch_size: {choices: [[32, 32, 32], [64, 64, 64]]}
fixed: {max_epochs: 3}
"""


@pytest.fixture
def space(tmp_path):
    """A function that reads a search space from text."""

    def read(text=SPACE):
        (tmp_path / "space.yaml").write_text(text)
        return read_space(tmp_path / "space.yaml")

    return read


class MadeUp(Training):
    """A training whose score is its batch size, of which one of 3 fails and one of 1 is poor from the start."""

    def run(self, values, report):
        seen.append(values)
        if values["train_batch_size"] == 3:
            return None, "it fell over"
        score = values["train_batch_size"] / 10
        for epoch in range(1, 4):
            if report(epoch, score):
                return Progress(epoch=epoch, best=score), ""
        return Progress(epoch=3, best=score), None


seen = []


@pytest.fixture
def training(tmp_path):
    seen.clear()
    return MadeUp(bundle=Path("b"), data=Path("d"), overlays=[], folder=tmp_path / "trials")


def rows(out):
    with (out / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_space_is_read(space):
    found = space()
    rate, batch, patch = found.parameters
    assert (rate.log, rate.whole, batch.whole) == (True, False, True)
    assert batch.grid() == [1, 2, 3, 4]
    assert patch.grid() == ["[32, 32, 32]", "[64, 64, 64]"]
    assert found.fixed == {"max_epochs": 3}
    assert space("search: {a: {low: 0, high: 0.3, step: 0.1}}").parameters[0].grid() == [0, 0.1, 0.2, 0.3]
    with pytest.raises(SettingError, match="a grid needs single values"):
        rate.grid()


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("a: [", UnreadableError, "cannot be read"),
        ("fixed: {}", UnreadableError, "nothing to search"),
        ("search: {a: 3}", SettingError, "entry of a makes no sense"),
        ("search: {a: {low: 2, high: 1}}", SettingError, "makes no sense"),
        ("search: {a: {low: 0, high: 1, log: true}}", SettingError, "makes no sense"),
        ("search: {a: {low: 1e-4, high: 1}}", SettingError, "makes no sense"),  # text, in YAML
        ("search: {a: {choices: []}}", SettingError, "makes no sense"),
        ("search: {a: {choices: [1]}}\nfix: {}", SettingError, "unknown keys"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(space, text, kind, said):
    with pytest.raises(kind, match=said):
        space(text)


def test_random_trials_become_a_table_a_page_and_the_best_overlay(space, training, tmp_path):
    out = tmp_path / "out"
    search(training, space(), out, SearchSettings(trials=12, seed=1))
    found = rows(out)
    assert len(found) == 12
    failed = [row for row in found if row["train_batch_size"] == "3"]
    assert failed
    assert {(row["state"], row["score"], row["error"]) for row in failed} == {("fail", "", "it fell over")}
    complete = [row for row in found if row["state"] == "complete"]
    assert all(float(row["score"]) == int(row["train_batch_size"]) / 10 for row in complete)
    assert all(0.0001 <= float(row["learning_rate"]) <= 0.01 for row in found)
    best = yaml.safe_load((out / "best.yaml").read_text())
    assert (best["max_epochs"], best["train_batch_size"]) == (3, 4)
    assert best["patch_size"] in ([32, 32, 32], [64, 64, 64])
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "it fell over" in page


def test_a_search_goes_on_where_it_was(space, training, tmp_path):
    search(training, space(), tmp_path, SearchSettings(trials=3))
    first = [row["learning_rate"] for row in rows(tmp_path)]
    search(training, space(), tmp_path, SearchSettings(trials=5))
    again = [row["learning_rate"] for row in rows(tmp_path)]
    assert again[:3] == first
    assert len(set(again)) == 5  # nothing is drawn twice
    assert len(seen) == 5
    search(training, space(), tmp_path, SearchSettings(trials=5))
    assert len(seen) == 5
    with pytest.raises(SettingError, match="a search over something else"):
        search(training, space("search: {other: {choices: [1]}}"), tmp_path, SearchSettings(trials=6))


def test_what_was_cut_off_is_run_again(space, training, tmp_path, monkeypatch):
    def killed(self, values, report):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MadeUp, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            search(training, space(), tmp_path, SearchSettings(trials=2, seed=5))
    search(training, space(), tmp_path, SearchSettings(trials=2, seed=5))
    cut, again, other = rows(tmp_path)
    assert (cut["state"], cut["error"]) == ("fail", "cut off; run again")
    assert [again[key] for key in ("learning_rate", "train_batch_size", "folder")] == [
        cut[key] for key in ("learning_rate", "train_batch_size", "folder")
    ]
    assert again["folder"] != other["folder"]


def test_a_grid_is_gone_through_once(space, training, tmp_path):
    text = "search: {train_batch_size: {low: 1, high: 4}, patch_size: {choices: [a, b]}}"
    search(training, space(text), tmp_path, SearchSettings(trials=5, sampler="grid"))
    search(training, space(text), tmp_path, SearchSettings(trials=100, sampler="grid"))
    pairs = [(values["train_batch_size"], values["patch_size"]) for values in seen]
    assert sorted(pairs) == [(batch, patch) for batch in (1, 2, 3, 4) for patch in "ab"]


def test_poor_trials_are_pruned_and_are_rows(space, training, tmp_path):
    text = "search: {train_batch_size: {choices: [4, 1]}}"
    search(training, space(text), tmp_path, SearchSettings(trials=20, prune=True))
    pruned = [row for row in rows(tmp_path) if row["state"] == "pruned"]
    assert pruned
    assert {(row["train_batch_size"], row["score"], row["epochs"]) for row in pruned} == {("1", "", "1")}


def test_nothing_found_leaves_no_overlay(training, tmp_path):
    from pipeline.search.space import Parameter

    only = Space(parameters=(Parameter(key="train_batch_size", choices=("3",)),))
    search(training, only, tmp_path, SearchSettings(trials=2))
    assert not (tmp_path / "best.yaml").exists()
    assert len(rows(tmp_path)) == 2
