"""What MONAI's trainer needs beside it: seeded samples, a budget, a schedule, checkpoints that resume exactly."""

from pipeline.training.budget import TrainingBudget
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.early_stop import ResumableEarlyStop
from pipeline.training.forward import AutocastInferer
from pipeline.training.processes import join, leave, own_share
from pipeline.training.samples import SampleDataset, SampleSampler
from pipeline.training.schedule import LearningRateSchedule
from pipeline.training.validation import FinalValidation, PerClassDice

__all__ = [
    "AutocastInferer",
    "Checkpoints",
    "FinalValidation",
    "LearningRateSchedule",
    "PerClassDice",
    "ResumableEarlyStop",
    "SampleDataset",
    "SampleSampler",
    "TrainingBudget",
    "join",
    "leave",
    "own_share",
]
