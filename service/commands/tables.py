"""Tables and pages for people who look at a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

GAP = "  "


def table(head: Sequence[str], rows: Sequence[Iterable[object]]) -> str:
    """Columns as wide as what stands in them; nothing is shown for None."""
    lines = [tuple(head), *(tuple(_shown(cell) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def shadow_page(report: Mapping[str, Any]) -> str:
    """The report of a staged release (`service.shadow.replay.Replayer.report`)."""
    live, staged = report["latency_ms"]["live"], report["latency_ms"]["staged"]
    against = ", ".join(f"{name} ({n})" for name, n in report["against"].items()) or "nothing yet"
    needed = report["requests_needed"]
    sides = ("degraded", "empty", "score")
    rows = [
        *((name, report[name]["live"], report[name]["staged"]) for name in sides),
        *((f"{name}, ms", live[name], staged[name]) for name in live),
    ]
    head = ("SEGMENT", "REQUESTS", "OVERLAP@K", "+/-", "OVERLAP@10", "+/-", "EMPTY", "DEGRADED")
    segments = [("all", report), *report["segments"].items()]
    return "\n".join(
        (
            f"{report['release']} against {against}",
            f"{report['requests']} compared, {report['dropped']} dropped, "
            f"{report['failed']} failed"
            + (f"; {needed} give the overlap to +/- 0.01" if needed else ""),
            "",
            table(head, [_segment(name, its) for name, its in segments]),
            "",
            table(("", "LIVE", "STAGED"), rows),
        )
    )


def _segment(name: str, its: Mapping[str, Any]) -> tuple[object, ...]:
    at_k, at_10 = its["overlap_at_k"], its["overlap_at_10"]
    means = (at_k["mean"], at_k["standard_error"], at_10["mean"], at_10["standard_error"])
    return (name, its["requests"], *means, its["empty"]["staged"], its["degraded"]["staged"])


def _shown(cell: object) -> str:
    return "" if cell is None else str(cell)
