"""User's errors of a bundle command as one message and an exit status, not as a traceback."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import NoReturn

from monai.apps.utils import get_logger

from transforms.errors import CTError, exit_status, root_error

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
"""Exit statuses of a run that was ended from outside, as shells have them."""

INTERRUPTED_MESSAGE = "interrupted; what is done is kept, and the same command goes on from there"


def report_errors() -> None:
    """Makes Python end with one message and the right status when a user's error is not caught.

    Bundle configs call it first; anything that is no user's error still shows its traceback. Ctrl-C and SIGTERM end
    the run in an orderly way, with 130 and 143.
    """
    sys.excepthook = _report
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    # MONAI's handler shows the traceback of whatever ends a training. Its own function makes its logger: one that is
    # there already would get no handler.
    get_logger("monai.handlers.StatsHandler").addFilter(_is_no_users_error)


def say_error(message: str) -> None:
    """The last line on stderr; a JSON object where log lines are."""
    if any(getattr(handler.formatter, "says_json", False) for handler in logging.root.handlers):
        logging.getLogger("pipeline").error("%s", message)
    else:
        sys.stderr.write(f"ctvol: error: {message}\n")


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(TERMINATED)


def _is_no_users_error(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, Exception) or not isinstance(root_error(error), CTError)


def _report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        say_error(INTERRUPTED_MESSAGE)
        raise SystemExit(INTERRUPTED)
    root = root_error(error) if isinstance(error, Exception) else error
    if not isinstance(root, CTError):
        sys.__excepthook__(kind, error, traceback)
        return
    say_error(str(root))
    raise SystemExit(exit_status(root))
