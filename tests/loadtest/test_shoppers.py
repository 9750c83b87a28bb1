"""`make load` in small: real shoppers, a real service, no errors."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.releases import make_release

ROOT = Path(__file__).resolve().parents[2]


def load(**env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "loadtest.run"],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_shoppers_meet_no_error_and_every_route_is_in_the_table(tmp_path: Path) -> None:
    make_release(tmp_path, n_items=200, dim=16)
    done = load(LOAD_STORE=str(tmp_path), LOAD_SECONDS="4", LOAD_USERS="5")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = dict(re.findall(r"^((?:POST )?\S+) +(\d+ +\d+) ", done.stdout, re.MULTILINE))
    assert set(rows) == {"POST /v1/events", "POST /v1/recommend", "POST /v1/similar", "all"}
    assert all(int(counts.split()[0]) > 0 == int(counts.split()[1]) for counts in rows.values())


def test_a_service_that_cannot_start_is_one_message_and_status_2(tmp_path: Path) -> None:
    done = load(LOAD_STORE=str(tmp_path / "nowhere"), LOAD_SECONDS="1")
    assert done.returncode == 2
    assert "nowhere" in done.stderr and "Traceback" not in done.stderr
