"""Networks that answer together, by hand."""

import pytest
import torch

from pipeline.bundle.identity import bundle_identity
from pipeline.networks import Ensemble, file_hash, prepare_ensemble
from transforms.errors import NotFoundError, SettingError


class Says(torch.nn.Module):
    """Logits that are always the same."""

    def __init__(self, *logits):
        super().__init__()
        self.logits = torch.tensor(logits).reshape(1, -1, 1, 1, 1)

    def forward(self, image):
        return self.logits.expand(len(image), -1, *image.shape[2:])


IMAGE = torch.zeros(2, 1, 2, 2, 2)


def test_the_mean_of_probabilities():
    one, other = Says(2.0, 0.0, -1.0), Says(-3.0, 1.0, 0.5)
    found = Ensemble([one, other])(IMAGE).softmax(1)
    expected = (one(IMAGE).softmax(1) + other(IMAGE).softmax(1)) / 2
    torch.testing.assert_close(found, expected)
    # One that is very sure outweighs in logits what it does not in probabilities.
    sure, unsure = Says(30.0, 0.0), Says(0.0, 5.0)
    assert Ensemble([sure, unsure, unsure])(IMAGE).argmax(1).unique().tolist() == [1]
    assert Ensemble([sure, unsure, unsure], average="logits")(IMAGE).argmax(1).unique().tolist() == [0]


def test_the_mean_of_sigmoids_and_of_logits():
    one, other = Says(2.0), Says(-1.0)
    found = Ensemble([one, other], activation="sigmoid")(IMAGE).sigmoid()
    torch.testing.assert_close(found, (one(IMAGE).sigmoid() + other(IMAGE).sigmoid()) / 2)
    torch.testing.assert_close(Ensemble([one, other], average="logits")(IMAGE), torch.full((2, 1, 2, 2, 2), 0.5))


def test_the_sure_stay_finite_in_half_precision():
    found = Ensemble([Says(80.0, -80.0)])(IMAGE).half()
    assert torch.isfinite(found).all()
    assert torch.isfinite(Ensemble([Says(80.0)], activation="sigmoid")(IMAGE).half()).all()


def test_weights_files_become_networks_of_their_own(tmp_path):
    network = torch.nn.Conv3d(1, 2, 1)
    paths = []
    for number in (1.0, 2.0):
        paths.append(tmp_path / f"{number}.pt")
        torch.save({"weight": torch.full((2, 1, 1, 1, 1), number), "bias": torch.zeros(2)}, paths[-1])
    ensemble = prepare_ensemble(network, torch.device("cpu"), weights=paths, average="logits")
    assert ensemble(torch.ones(1, 1, 2, 2, 2)).unique().tolist() == [1.5]
    assert not ensemble.training
    with pytest.raises(SettingError, match="a list of weights files"):
        prepare_ensemble(network, torch.device("cpu"), weights=str(paths[0]))
    with pytest.raises(SettingError, match="needs networks"):
        prepare_ensemble(network, torch.device("cpu"), weights=[])
    with pytest.raises(NotFoundError):
        prepare_ensemble(network, torch.device("cpu"), weights=[tmp_path / "none.pt"])
    with pytest.raises(SettingError, match="median under softmax"):
        Ensemble([network], average="median")


def test_an_ensembles_identity_is_that_of_all_its_weights(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "metadata.json").write_text('{"name": "a", "version": "1"}')
    files = [tmp_path / name for name in ("x.pt", "y.pt")]
    for file in files:
        file.write_text(file.name)
    hashes = {bundle_identity(tmp_path, given).weights_hash for given in (files, files[::-1], files[:1])}
    assert len(hashes) == 3
    assert bundle_identity(tmp_path, files[0]).weights_hash == f"sha256:{file_hash(files[0])}"
