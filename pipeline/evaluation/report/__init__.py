"""The files of an evaluation: tables for programs, a page for people."""

from pipeline.evaluation.report.files import write_evaluation

__all__ = ["write_evaluation"]
