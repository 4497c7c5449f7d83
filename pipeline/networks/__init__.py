"""Networks by name, their weights, and what sizes they take."""

from pipeline.networks.ensemble import Ensemble, prepare_ensemble
from pipeline.networks.fused_norm import FusedADN, fused_for_training
from pipeline.networks.patch_size import check_patch_size
from pipeline.networks.transfer import transfer_weights
from pipeline.networks.unet_elu import UNetELU
from pipeline.networks.weights import file_hash, load_weights, output_channels, prepare, read_saved

__all__ = [
    "Ensemble",
    "FusedADN",
    "UNetELU",
    "check_patch_size",
    "file_hash",
    "fused_for_training",
    "load_weights",
    "output_channels",
    "prepare",
    "prepare_ensemble",
    "read_saved",
    "transfer_weights",
]
