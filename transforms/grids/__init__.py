"""Native grid to network grid and back: orientation, crop and spacing in one separable resampling."""

from transforms.grids.grid import AxisMap, Grid
from transforms.grids.largest import LargestSharesd
from transforms.grids.lattice import NetworkLattice, PatchLattice
from transforms.grids.network_grid import NETWORK_BOX, ToNetworkGridd, network_grid
from transforms.grids.region import SEARCHED, RegionOfInterestd
from transforms.grids.resampling import resample
from transforms.grids.restoring import RestoreLabelMapd, restore_label_map, restore_mask

__all__ = [
    "NETWORK_BOX",
    "SEARCHED",
    "AxisMap",
    "Grid",
    "LargestSharesd",
    "NetworkLattice",
    "PatchLattice",
    "RegionOfInterestd",
    "RestoreLabelMapd",
    "ToNetworkGridd",
    "network_grid",
    "resample",
    "restore_label_map",
    "restore_mask",
]
