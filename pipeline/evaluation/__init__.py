"""Agreement of label maps with references: metrics a case, tables, a report, and a handler for evaluators."""

from pipeline.datasets.patients import read_patients
from pipeline.evaluation.case_metrics import TOLERANCE_MM, ClassMetrics, MetricSettings, case_metrics
from pipeline.evaluation.case_metrics_saver import CaseMetricsSaver
from pipeline.evaluation.compare import compare_files, compare_pairs
from pipeline.evaluation.difference_figure import DifferenceFigure, difference_figure
from pipeline.evaluation.label_maps import find_label_maps
from pipeline.evaluation.matching import Matching, match
from pipeline.evaluation.rand_loss import RandLoss
from pipeline.evaluation.report import write_evaluation
from pipeline.evaluation.results import Evaluation, ScoredCase
from pipeline.evaluation.summary import Bootstrap, summarise

__all__ = [
    "TOLERANCE_MM",
    "Bootstrap",
    "CaseMetricsSaver",
    "ClassMetrics",
    "DifferenceFigure",
    "Evaluation",
    "Matching",
    "MetricSettings",
    "RandLoss",
    "ScoredCase",
    "case_metrics",
    "compare_files",
    "compare_pairs",
    "difference_figure",
    "find_label_maps",
    "match",
    "read_patients",
    "summarise",
    "write_evaluation",
]
