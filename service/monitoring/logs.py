"""Log lines as JSON on standard error; a sampled one per request, without ids of people."""

import json
import logging
import random
import sys
import time
from collections.abc import Mapping

REQUESTS = "sightline.requests"
EXTRA = "facts"
CHARS_MAX = 4000


class JsonFormatter(logging.Formatter):
    """One JSON object per line; control characters are escaped, long texts cut."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:CHARS_MAX],
        }
        line.update(getattr(record, EXTRA, {}))
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-CHARS_MAX:]
        return json.dumps(line, default=str)


def configure_logs(level: str) -> None:
    """Sends all logs of the process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").setLevel(
        logging.ERROR
    )  # callers could fill the log with less


class RequestLog:
    """Writes one line for a share of the requests; 0 writes none."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._log = logging.getLogger(REQUESTS)

    def line(
        self,
        route: str,
        request_id: str,
        status: int,
        duration_s: float,
        facts: Mapping[str, object] | None,
    ) -> None:
        """One request; `facts` are words and numbers about the answer, never ids of people."""
        if random.random() >= self._share or not self._log.isEnabledFor(logging.INFO):
            return
        seen = {
            "request_id": request_id,
            "route": route,
            "status": status,
            "duration_ms": round(duration_s * 1000, 3),
            **(facts or {}),
        }
        self._log.info("request", extra={EXTRA: seen})
