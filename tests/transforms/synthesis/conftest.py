"""A chest of two ellipsoids of lung in tissue, on any grid."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from monai.data.meta_tensor import MetaTensor
from scipy.spatial.transform import Rotation

LUNG_HU, TISSUE_HU, VESSEL_HU = -860, 40, 30


@dataclass(frozen=True)
class Chest:
    hu: np.ndarray
    lungs: np.ndarray
    affine: np.ndarray

    @property
    def image(self):
        return MetaTensor(torch.from_numpy(self.hu)[None], affine=torch.from_numpy(self.affine))

    @property
    def mask(self):
        return MetaTensor(torch.from_numpy(self.lungs)[None], affine=torch.from_numpy(self.affine))

    def world(self, voxels):
        """RAS+ millimetres of the voxels of a mask, (N, 3)."""
        return np.argwhere(voxels) @ self.affine[:3, :3].T + self.affine[:3, 3]


def make_chest(spacing=(3.0, 3.0, 3.0), axcodes_flip=(1, 1, 1), degrees=0.0, noise=0.0):
    """240 x 180 x 210 mm: the patient's left lung (1) at negative x, the right one (2) at positive x, some vessels."""
    size = np.ceil(np.array([240, 180, 210]) / spacing).astype(int)
    turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(np.array(spacing) * axcodes_flip)
    affine[:3, 3] = -affine[:3, :3] @ ((size - 1) / 2)
    index = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1)
    x, y, z = np.moveaxis(index @ affine[:3, :3].T + affine[:3, 3], -1, 0)
    lungs = np.zeros(size, dtype=np.uint8)
    for value, middle in ((1, -58), (2, 58)):
        lungs[((x - middle) / 46) ** 2 + (y / 70) ** 2 + (z / 88) ** 2 < 1] = value
    hu = np.where(lungs > 0, LUNG_HU, TISSUE_HU).astype(np.float32)
    hu[(lungs > 0) & (np.mod(x + 200, 24) < 4) & (np.mod(z + 200, 24) < 4)] = VESSEL_HU
    if noise:
        hu += np.random.RandomState(0).normal(0, noise, size)
    return Chest(hu=np.rint(hu).astype(np.int16), lungs=lungs, affine=affine)


GRIDS = {
    "iso": {},
    "thick": {"spacing": (2.5, 2.5, 8.0)},
    "flipped": {"axcodes_flip": (-1, -1, -1)},
    "oblique": {"degrees": 20.0},
}


@pytest.fixture(params=list(GRIDS))
def chest(request):
    return make_chest(**GRIDS[request.param])


@pytest.fixture
def iso_chest():
    return make_chest()
