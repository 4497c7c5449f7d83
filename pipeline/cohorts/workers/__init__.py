"""Several workers, each with a model of its own: processes on this machine, or actors on a Ray cluster."""

from pipeline.cohorts.workers.plan import Workers, device_here

__all__ = ["Workers", "device_here"]
