"""The runbook answers for every refusal, with commands that exist."""

import re
from pathlib import Path

import pytest

from service.__main__ import COMMANDS, main
from service.errors import REASONS
from service.settings.tree import environment_name, keys

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
PAGES = TEXT + (ROOT / "docs/releases.md").read_text(encoding="utf-8")
REFUSALS = TEXT.partition("### Why a release is refused\n")[2].partition("\n### ")[0]
SECTIONS = dict(re.findall(r"^#### (\w+)\n\n(.*?)(?=^#|\Z)", REFUSALS, re.MULTILINE | re.DOTALL))


def test_every_reason_of_a_refusal_has_a_section_and_every_section_a_reason() -> None:
    assert set(SECTIONS) == set(REASONS)


@pytest.mark.parametrize("reason", REASONS)
def test_a_section_says_what_it_means_and_what_to_do(reason: str) -> None:
    assert len(re.findall(r"[.:?](?:\s|$)", SECTIONS[reason])) >= 2
    assert len(SECTIONS[reason].split()) >= 20


def test_the_page_on_releases_names_every_reason() -> None:
    page = (ROOT / "docs/releases.md").read_text(encoding="utf-8")
    beyond_verify = {"crash", "memory"}  # of the processes, not of the release
    assert not [r for r in REASONS if f"`{r}`" not in page and r not in beyond_verify]


def test_commands_in_the_documents_exist(capsys: pytest.CaptureFixture[str]) -> None:
    asked = set(
        re.findall(r"\bsightline (\w+) (list|history|load|activate|rollback|verify)", PAGES)
    )
    assert asked
    for word, action in asked:
        assert word in COMMANDS
        with pytest.raises(SystemExit) as ended:
            main([word, action, "--help"])
        assert ended.value.code == 0


def test_settings_in_the_documents_exist() -> None:
    known = {environment_name(part, name) for part, name, _ in keys()}
    assert set(re.findall(r"SIGHTLINE_\w+", PAGES)) <= known
