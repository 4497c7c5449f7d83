"""Many cases through one model: a failing case never takes others with it."""

from pipeline.cohorts.dataset import CaseDataset
from pipeline.cohorts.evaluator import CaseEvaluator
from pipeline.cohorts.progress import CaseProgress
from pipeline.cohorts.writer import CaseWriter

__all__ = ["CaseDataset", "CaseEvaluator", "CaseProgress", "CaseWriter"]
