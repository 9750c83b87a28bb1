"""Dashboards and rules name only metrics, labels and label values that the service declares."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from service.monitoring.declarations import SPECS
from service.monitoring.spec import Spec

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
RULES = [DEPLOY / "prometheus/alerts.yml"]
SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
SERIES: dict[str, Spec] = {s.name + suffix: s for s in SPECS for suffix in SUFFIXES[s.kind]}


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression with the place where it stands."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}: {target['refId']}", target["expr"]
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                yield f"{path.stem}: {rule.get('alert', rule.get('record'))}", rule["expr"]


EXPRESSIONS = list(expressions())


def test_there_are_a_dashboard_and_rules() -> None:
    assert DASHBOARDS and EXPRESSIONS


@pytest.mark.parametrize(
    "expr", [e for _, e in EXPRESSIONS], ids=[place for place, _ in EXPRESSIONS]
)
def test_an_expression_names_only_series_that_exist(expr: str) -> None:
    used = set(re.findall(r"\bretrieval_\w+", expr))
    assert used - set(SERIES) == set()


@pytest.mark.parametrize(
    "expr", [e for _, e in EXPRESSIONS], ids=[place for place, _ in EXPRESSIONS]
)
def test_an_expression_names_only_labels_and_values_that_exist(expr: str) -> None:
    for series, matchers in re.findall(r"\b(retrieval_\w+)\{([^}]*)\}", expr):
        spec = SERIES[series]
        labels = {**spec.labels, "le": tuple(map(repr, spec.buckets))}
        for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', matchers):
            assert label in labels
            words = value.split("|") if re.fullmatch(r"[\w|]+", value) else [value]
            for word in words:
                pattern = word if "~" in operator else re.escape(word)
                assert any(re.fullmatch(pattern, known) for known in labels[label])


@pytest.mark.parametrize(
    "expr", [e for _, e in EXPRESSIONS], ids=[place for place, _ in EXPRESSIONS]
)
def test_an_expression_groups_only_by_labels_that_exist(expr: str) -> None:
    known = {
        label for name in re.findall(r"\bretrieval_\w+", expr) for label in SERIES[name].labels
    }
    grouped = {
        label.strip()
        for labels in re.findall(r"\b(?:by|without|on) \(([^)]*)\)", expr)
        for label in labels.split(",")
    }
    assert grouped - known <= {"le", "instance"}


def test_panels_do_not_overlap() -> None:
    for path in DASHBOARDS:
        places = [panel["gridPos"] for panel in json.loads(path.read_text())["panels"]]
        cells = [
            (x, y)
            for p in places
            for x in range(p["x"], p["x"] + p["w"])
            for y in range(p["y"], p["y"] + p["h"])
        ]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) <= 23


def test_dashboards_use_the_datasource_that_is_provisioned() -> None:
    provisioned = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text()
    )
    uids = {source["uid"] for source in provisioned["datasources"]}
    for path in DASHBOARDS:
        used = {panel["datasource"]["uid"] for panel in json.loads(path.read_text())["panels"]}
        assert used <= uids
