"""Log lines of the command line."""

from __future__ import annotations

import logging
import sys


def log_to_stderr(level: int = logging.INFO) -> None:
    """Sends log lines to stderr; stdout carries only what was asked for.

    To be called after MONAI was imported, whose own loggers write to stdout.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in ("pipeline", "transforms"):
        logging.getLogger(name).setLevel(level)
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("monai.")]:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.ERROR)
