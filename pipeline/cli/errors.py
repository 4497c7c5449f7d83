"""User's errors as one line on stderr and an exit status."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reporting() -> Iterator[None]:
    """Turns an error of the family, however deep it lies, into its message and status; others keep their traceback."""
    try:
        yield
    except Exception as error:  # boundary: the command line's end; what is no user's error is raised again
        from transforms.errors import CTError, exit_status, root_error

        root = root_error(error)
        if not isinstance(root, CTError):
            raise
        if any(getattr(handler.formatter, "says_json", False) for handler in logging.root.handlers):
            logging.getLogger("pipeline").error("%s", root)
        else:
            print(f"ctvol: error: {root}", file=sys.stderr)
        sys.exit(exit_status(root))
