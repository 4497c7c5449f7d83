"""What bundle configs need of Python beside the parts that they name."""

from pipeline.bundle.errors import report_errors
from pipeline.bundle.hashes import published_hash
from pipeline.bundle.identity import bundle_identity
from pipeline.bundle.logs import json_logs
from pipeline.bundle.recipe import result_settings, running_config
from pipeline.bundle.run import find_bundle, run_workflow
from transforms.errors import exit_status

__all__ = [
    "bundle_identity",
    "exit_status",
    "find_bundle",
    "json_logs",
    "published_hash",
    "report_errors",
    "result_settings",
    "run_workflow",
    "running_config",
]
