"""How good a classifier of slices is: scores with intervals, a threshold from validation, tables and figures."""

from pipeline.evaluation.intervals import Interval
from pipeline.evaluation.slices.audit import audit_pictures
from pipeline.evaluation.slices.evaluator import SliceEvaluation
from pipeline.evaluation.slices.intervals import with_intervals
from pipeline.evaluation.slices.metric_functions import slice_metrics
from pipeline.evaluation.slices.predictions import Predictions, predict
from pipeline.evaluation.slices.scores import choose_threshold, confusion, scores

__all__ = [
    "Interval",
    "Predictions",
    "SliceEvaluation",
    "audit_pictures",
    "choose_threshold",
    "confusion",
    "predict",
    "scores",
    "slice_metrics",
    "with_intervals",
]
