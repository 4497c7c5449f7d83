"""Log lines for programs: one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: `time` (UTC, ISO 8601), `level`, `case`, `stage`, `message`, `logger`.

    `case` and `stage` are `null` where a line is about none.
    """

    says_json = True

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        content = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "case": getattr(record, "case", None),
            "stage": getattr(record, "stage", None),
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return json.dumps(content, ensure_ascii=False)


def json_logs(wanted: bool = True) -> None:
    """Turns all that is logged or warned of into JSON lines on stderr, stages of cases among them.

    Args:
        wanted: Nothing happens where it is false.
    """
    if not wanted:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.root.handlers = [handler]
    logging.captureWarnings(True)
    for name in ("pipeline", "transforms"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("pipeline.cohorts.progress").setLevel(logging.DEBUG)
