"""What MONAI's trainer needs beside it: seeded samples, a budget, a schedule, checkpoints that resume exactly."""

from pipeline.training.balanced import BalancedSampler, slice_sampler
from pipeline.training.budget import TrainingBudget
from pipeline.training.cached_cases import CachedCases
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.deferred import augments_on_device, collate_samples, prepare_samples
from pipeline.training.early_stop import ResumableEarlyStop
from pipeline.training.forward import AutocastInferer
from pipeline.training.mapped_items import MappedItems
from pipeline.training.mask_losses import ForegroundChannels, MaskCrossEntropy
from pipeline.training.moving_average import MovingAverageSchedule
from pipeline.training.processes import join, leave, own_share
from pipeline.training.samples import SampleDataset, SampleSampler
from pipeline.training.schedule import LearningRateSchedule
from pipeline.training.targets import SoftTargets, classification_loss
from pipeline.training.validation import FinalValidation, PerClassDice

__all__ = [
    "AutocastInferer",
    "BalancedSampler",
    "CachedCases",
    "Checkpoints",
    "FinalValidation",
    "ForegroundChannels",
    "LearningRateSchedule",
    "MappedItems",
    "MaskCrossEntropy",
    "MovingAverageSchedule",
    "PerClassDice",
    "ResumableEarlyStop",
    "SampleDataset",
    "SampleSampler",
    "SoftTargets",
    "TrainingBudget",
    "augments_on_device",
    "classification_loss",
    "collate_samples",
    "join",
    "leave",
    "own_share",
    "prepare_samples",
    "slice_sampler",
]
