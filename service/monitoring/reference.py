"""The reference page of all metrics, made from their declarations."""

from collections.abc import Mapping

from service.monitoring.declarations import SPECS
from service.monitoring.spec import OPEN, Mode, Spec

HEAD = """# Metrics

Made by `sightline metrics`; change `service/monitoring/` instead. `/metrics` answers in Prometheus
text format. Units are seconds and bytes. Every label has a closed set of values; what is outside
counts as `other` (an unknown route as `__other__`, an unknown method as `_OTHER`), so no caller
can make the number of series grow. All series exist from the start, with 0, except what is marked
*lazy*, which appears when it first occurs.

Any process of a service answers for all of them. Counters and histograms are summed and outlive
their process; gauges count while it lives, and each says how they are put together.
"""
VALUES_SHOWN = 14
TOGETHER: Mapping[Mode, str] = {"livesum": "sum", "livemax": "greatest", "livemin": "least"}


def metrics_markdown() -> str:
    """The page, as docs/metrics.md holds it."""
    return HEAD + "".join(_section(spec) for spec in SPECS)


def _section(spec: Spec) -> str:
    kind = f"gauge ({TOGETHER[spec.mode]})" if spec.kind == "gauge" else spec.kind
    lines = [f"\n## {spec.name}\n", f"{kind}. {spec.meaning}"]
    if spec.advice:
        lines.append(f"*What to do:* {spec.advice}")
    if spec.labels or spec.is_lazy:
        lines.append("")
    lines += [f"- `{label}`: {_values(values)}" for label, values in spec.labels.items()]
    if spec.is_lazy:
        lines.append("- *lazy*")
    if spec.buckets:
        lines += ["", f"Buckets: {', '.join(f'{bound:g}' for bound in spec.buckets)}"]
    return "\n".join(lines) + "\n"


def _values(values: tuple[str, ...]) -> str:
    if values == OPEN:
        return "from the release or the build"
    shown = ", ".join(values[:VALUES_SHOWN])
    return shown if len(values) <= VALUES_SHOWN else f"{shown}, …"
