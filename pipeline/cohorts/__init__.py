"""Many cases through one model: a failing case never takes others with it, and none is done twice."""

from pipeline.cohorts.dataset import CaseDataset
from pipeline.cohorts.evaluator import CaseEvaluator
from pipeline.cohorts.open_cases import OpenCases
from pipeline.cohorts.progress import CaseProgress
from pipeline.cohorts.workers import Workers, device_here
from pipeline.cohorts.writer import CaseWriter

__all__ = ["CaseDataset", "CaseEvaluator", "CaseProgress", "CaseWriter", "OpenCases", "Workers", "device_here"]
