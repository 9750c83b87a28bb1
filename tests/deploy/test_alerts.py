"""The alert rules: complete, explained in the runbook, and right by the word of promtool."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/prometheus"
GROUPS = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
TESTS = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
NAMES = [rule["alert"] for rule in ALERTS]
promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not on the PATH: it comes with Prometheus (docs/runbook.md)",
)


def test_every_alert_has_a_name_of_its_own() -> None:
    assert len(set(NAMES)) == len(NAMES) > 40


@pytest.mark.parametrize("rule", ALERTS, ids=NAMES)
def test_an_alert_says_how_urgent_it_is_and_what_is_wrong(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert len(rule["annotations"]["summary"]) > 20


@pytest.mark.parametrize("rule", ALERTS, ids=NAMES)
def test_an_alert_leads_to_its_section_of_the_runbook(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (\w+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor == rule["alert"].lower()
    assert rule["alert"] in headings


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    text = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^#+ (Retrieval\w+)$", text, re.MULTILINE)) <= set(NAMES)


@pytest.mark.parametrize("rule", RULES, ids=[r.get("alert") or r["record"] for r in RULES])
def test_what_a_rule_reads_of_other_rules_is_recorded(rule: dict[str, Any]) -> None:
    assert set(re.findall(r"\bretrieval(?::\w+)+", rule["expr"])) <= RECORDED


@pytest.mark.parametrize("rule", ALERTS, ids=NAMES)
def test_the_words_of_an_alert_name_only_labels_that_it_has(rule: dict[str, Any]) -> None:
    used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    for label in used:
        assert re.search(rf"by \([^)]*\b{label}\b|^increase\(", rule["expr"])


def test_prometheus_loads_the_rules() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    assert config["rule_files"] == ["alerts.yml"]
    jobs = {job["job_name"] for job in config["scrape_configs"]}
    used = {job for rule in ALERTS for job in re.findall(r'job="(\w+)"', rule["expr"])}
    assert used <= jobs


def test_the_cases_name_alerts_that_exist() -> None:
    cases = [case for test in TESTS["tests"] for case in test.get("alert_rule_test", ())]
    assert {case["alertname"] for case in cases} <= set(NAMES)


@promtool
def test_promtool_accepts_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", "alerts.yml"], cwd=FOLDER, check=True)


@promtool
def test_promtool_finds_the_rules_right() -> None:
    subprocess.run(["promtool", "test", "rules", "alerts_test.yml"], cwd=FOLDER, check=True)
