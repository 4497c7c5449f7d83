"""What a run leaves in an experiment tracker, beyond what MONAI's handler does: parameters, figures, the bundle."""

from pipeline.tracking.tracked_run import begin, conclude

__all__ = ["begin", "conclude"]
