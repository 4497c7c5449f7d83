"""User's errors of a bundle command as one message and an exit status, not as a traceback."""

from __future__ import annotations

import logging
import sys
from types import TracebackType

from monai.apps.utils import get_logger

from transforms.errors import CTError, exit_status, root_error


def report_errors() -> None:
    """Makes Python end with one message and the right status when a user's error is not caught.

    Bundle configs call it first; anything that is no user's error still shows its traceback.
    """
    sys.excepthook = _report
    # MONAI's handler shows the traceback of whatever ends a training. Its own function makes its logger: one that is
    # there already would get no handler.
    get_logger("monai.handlers.StatsHandler").addFilter(_is_no_users_error)


def _is_no_users_error(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, Exception) or not isinstance(root_error(error), CTError)


def _report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    root = root_error(error) if isinstance(error, Exception) else error
    if not isinstance(root, CTError):
        sys.__excepthook__(kind, error, traceback)
        return
    sys.stderr.write(f"ctvol: error: {root}\n")
    raise SystemExit(exit_status(root))
