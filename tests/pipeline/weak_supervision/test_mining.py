"""Regions that a network with a known attention judges by, found round by round."""

import nibabel as nib
import numpy as np
import pytest
import torch
from torch import nn

from pipeline.inference.slices import SliceInferer
from pipeline.weak_supervision import LabelledVolume, RegionMining, labelled_volumes
from pipeline.weak_supervision.mining import mined_region
from transforms.errors import SettingError
from transforms.slices import SliceInput, lung_slices, read_stack

STRONG, WEAK = (slice(4, 8), slice(4, 8)), (slice(20, 26), slice(18, 22))


class Brightness(nn.Module):
    """Says the second class where a slice is bright somewhere: a convolution, the mean, one linear layer."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(1, 1, 1)
        self.head = nn.Linear(1, 2)
        with torch.no_grad():
            self.features.weight.fill_(1.0)
            self.features.bias.fill_(0.0)
            self.head.weight.copy_(torch.tensor([[0.0], [400.0]]))
            self.head.bias.copy_(torch.tensor([0.0, -2.0]))

    def forward(self, image):
        return self.head(self.features(image).mean(dim=(2, 3)))


@pytest.fixture
def slices():
    """One with a strong and a weak square, and an empty one."""
    images = torch.zeros(2, 1, 32, 32)
    images[(0, 0, *STRONG)] = 1.0
    images[(0, 0, *WEAK)] = 0.3
    return images


def mine(images, **settings):
    return RegionMining(**settings)(images, Brightness().eval(), "features", 1, SliceInferer())


def test_the_first_round_finds_what_spoke_most(slices):
    expected = torch.zeros(2, 32, 32, dtype=torch.bool)
    expected[(0, *STRONG)] = True
    assert torch.equal(mine(slices, rounds=1), expected)


def test_the_second_round_finds_the_rest_and_then_nothing_is_left(slices):
    expected = torch.zeros(2, 32, 32, dtype=torch.bool)
    expected[(0, *STRONG)] = expected[(0, *WEAK)] = True
    before = slices.clone()
    assert torch.equal(mine(slices, rounds=2), expected)
    assert torch.equal(slices, before)


def test_where_the_class_is_not_said_nothing_is_found(slices):
    assert not mine(slices[1:], rounds=5).any()
    assert not mine(slices, threshold=1.0).any()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_finds_the_same(slices):
    network = Brightness().eval().cuda()
    found = RegionMining(rounds=2)(slices, network, "features", 1, SliceInferer(device="cuda", precision="float32"))
    assert torch.equal(found, mine(slices, rounds=2))


@pytest.mark.parametrize("settings", [{"rounds": 0}, {"share": 0.0}, {"share": 1.1}, {"threshold": -0.1}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(SettingError, match="mining"):
        RegionMining(**settings)


@pytest.fixture(scope="module", params=["LPS", "RAS", "SPL"])
def chest_ct(request, tmp_path_factory, phantom_ct):
    """A phantom's CT in another order of axes."""
    image = nib.load(phantom_ct)
    wanted = nib.orientations.axcodes2ornt(request.param)
    path = tmp_path_factory.mktemp("axes") / "ct.nii.gz"
    nib.save(image.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(image.affine), wanted)), path)
    return path


def region_of(path, volume, network):
    stack = read_stack(path)
    settings = SliceInput(image_size=(64, 64), region="body")
    inferer = SliceInferer(batch_size=7)
    found = mined_region(
        stack, volume, RegionMining(rounds=1, share=0.8), network, "features", slice_input=settings, inferer=inferer
    )
    return stack, found


def test_a_region_comes_back_to_where_it_is_in_the_volume(chest_ct):
    """The network looks at what is brightest: bone and tissue, never the air around or in the lungs."""
    volume = LabelledVolume(case="a", image=str(chest_ct), patient=None, whole=1, of_slice={})
    stack, region = region_of(chest_ct, volume, Brightness().eval())
    hu = stack.volume.numpy()[0]
    assert region.shape == hu.shape
    assert np.median(hu[region]) > -50
    assert np.mean(hu[region] > -300) > 0.9
    along = int(np.argmax(np.abs(np.asarray(stack.volume.affine)[2, :3])))
    shown = np.flatnonzero(region.any(axis=tuple({0, 1, 2} - {along})))
    assert set(shown) <= set(lung_slices(stack))
    assert len(shown) > 10


def test_slices_of_the_first_class_stay_empty(phantom_ct):
    slices = lung_slices(read_stack(phantom_ct))
    known = dict.fromkeys(slices[:5], 0)
    volume = LabelledVolume(case="a", image=str(phantom_ct), patient=None, whole=1, of_slice=known)
    _, region = region_of(phantom_ct, volume, Brightness().eval())
    assert not region[:, :, slices[:5]].any()
    assert region[:, :, slices[5:]].any()
    healthy = LabelledVolume(case="a", image=str(phantom_ct), patient=None, whole=0, of_slice={})
    assert not region_of(phantom_ct, healthy, Brightness().eval())[1].any()


def test_labels_of_slices_and_of_volumes():
    items = [
        {"case": "v", "image": "v.nii.gz", "label": 0, "group": "p", "slice": 3},
        {"case": "v", "image": "v.nii.gz", "label": 2, "group": "p", "slice": 4},
        {"case": "w", "image": "w.nii.gz", "label": 1, "group": "w.nii.gz"},
        {"case": "x", "image": "x.png", "label": 1, "group": "x.png"},
        {"case": "y", "image": "y.nii.gz", "label": 0, "group": "y.nii.gz", "slice": 0},
    ]
    v, w, y = labelled_volumes(items)
    assert [v.target(index) for index in (3, 4, 5)] == [0, 2, 2]
    assert (v.patient, w.patient) == ("p", None)
    assert (w.target(7), w.has_finding) == (1, True)
    assert not y.has_finding
