"""What counting costs beside prometheus-client: `python -m tests.service.monitoring.cost`.

Every line is a process of its own and every time the best of many rounds, so that whatever else
the machine does counts little. The ratios are the point.
"""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from service.monitoring.declarations import SPECS
from service.monitoring.metrics import Metrics
from service.monitoring.spec import REQUEST_BUCKETS, Spec

COUNTS, OBSERVATIONS = 9, 19
"""Of one recommendation, about."""
ROUNDS, REQUESTS, SCRAPES, PROCESSES = 15, 500, 5, 8
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
Work = Callable[[], object]


def ours(folder: Path | None) -> tuple[Work, Work]:
    """What counts one recommendation, and what renders one scrape."""
    metrics = Metrics(folder)
    others = [Metrics(folder) for _ in range(PROCESSES - 1)] if folder is not None else []
    counter, histogram = metrics._shed[("store",)], metrics._durations["/v1/recommend"]
    return request(counter.inc, histogram.observe), lambda: (metrics.render(), others)


def library(folder: Path | None) -> tuple[Work, Work]:
    """The same; with a folder, in the library's mode for several processes."""
    registry = CollectorRegistry()
    for spec in SPECS:
        declare(spec, registry)
    counter = Counter("c", "", registry=registry)
    histogram = Histogram("h", "", registry=registry, buckets=REQUEST_BUCKETS)
    if folder is not None:
        for path, n in itertools.product(list(folder.iterdir()), range(PROCESSES - 1)):
            shutil.copy(path, str(path).replace(f"_{os.getpid()}.", f"_{n}."))
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return request(counter.inc, histogram.observe), lambda: generate_latest(registry)


def declare(spec: Spec, registry: CollectorRegistry) -> None:
    name, labels = spec.name, tuple(spec.labels)
    family: Counter | Gauge | Histogram
    if spec.kind == "histogram":
        family = Histogram(name, "", labels, registry=registry, buckets=spec.buckets)
    elif spec.kind == "counter":
        family = Counter(name, "", labels, registry=registry)
    else:
        family = Gauge(name, "", labels, registry=registry, multiprocess_mode=spec.mode)
    if labels and not spec.is_lazy:
        for values in itertools.product(*spec.labels.values()):
            family.labels(*values)


def request(count: Callable[[], object], observe: Callable[[float], object]) -> Work:
    def work() -> None:
        for _ in range(COUNTS):
            count()
        for _ in range(OBSERVATIONS):
            observe(0.004)

    return work


def best_s(work: Work, times: int) -> float:
    """Seconds of one call in the best round."""
    found = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        for _ in range(times):
            work()
        found.append((time.perf_counter() - began_s) / times)
    return min(found)


def measure(name: str, folder: Path | None) -> None:
    counting, scraping = (ours if name.startswith("ours") else library)(folder)
    counted_us, scraped_ms = best_s(counting, REQUESTS) * 1e6, best_s(scraping, SCRAPES) * 1e3
    sys.stdout.write(f"{name:20}{counted_us:10.1f}{scraped_ms:10.1f}\n")


def main() -> None:
    sys.stdout.write(f"{'':20}{'request us':>10}{'scrape ms':>10}\n")
    sys.stdout.flush()
    for name in ("library", "ours", "library together", "ours together"):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            together = {FOLDER: folder} if name.endswith("together") else {}
            command = [sys.executable, "-m", "tests.service.monitoring.cost", name]
            subprocess.run(command, env={**os.environ, **together}, check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1], Path(os.environ[FOLDER]) if FOLDER in os.environ else None)
    else:
        main()
