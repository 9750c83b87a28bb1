"""Documents point at things that exist, and every decision and command is listed."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
COMMANDS = (
    *("help", "install", "install-train", "run", "demo-release", "test", "lint", "format"),
    *("load", "bench", "check"),
)


def document(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=document)
def test_links_within_the_repository_lead_somewhere(path: Path) -> None:
    targets = [t for t in LINK.findall(path.read_text()) if "://" not in t]
    assert not [t for t in targets if not (path.parent / t).exists()]


def test_every_decision_is_listed_and_has_its_four_parts() -> None:
    listed = (ROOT / "docs/adr/README.md").read_text()
    decisions = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    assert decisions
    for path in decisions:
        text = path.read_text()
        assert f"({path.name})" in listed
        parts = re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE)
        assert parts == ["Context", "Options", "Decision", "Consequences"]


def test_make_help_lists_every_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = set(re.findall(r"^\s+make ([a-z-]+)", shown.stdout, re.MULTILINE))
    assert set(COMMANDS) <= listed


@pytest.mark.parametrize("path", DOCUMENTS, ids=document)
def test_a_make_command_in_a_document_exists(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    blocks = re.findall(r"^    make ([a-z-]+)|`make ([a-z-]+)", path.read_text(), re.MULTILINE)
    assert {a or b for a, b in blocks} <= targets
