"""Agreement of label maps with references: metrics a case, tables, and a handler for evaluators."""

from pipeline.evaluation.case_metrics import TOLERANCE_MM, ClassMetrics, case_metrics
from pipeline.evaluation.case_metrics_saver import CaseMetricsSaver
from pipeline.evaluation.compare import compare_files
from pipeline.evaluation.metric_files import summarise, write_metrics

__all__ = [
    "TOLERANCE_MM",
    "CaseMetricsSaver",
    "ClassMetrics",
    "case_metrics",
    "compare_files",
    "summarise",
    "write_metrics",
]
