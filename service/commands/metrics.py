"""`sightline metrics`: the reference page of all metrics."""

import argparse

from service.monitoring.reference import metrics_markdown


def configure(_: argparse.ArgumentParser) -> None:
    """There is nothing to choose."""


def command(_: argparse.Namespace) -> int:
    """Print docs/metrics.md."""
    print(metrics_markdown(), end="")
    return 0
