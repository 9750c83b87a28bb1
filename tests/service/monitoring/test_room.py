"""Where several processes count: in memory, with room for every number, or not at all."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.monitoring import processes
from service.monitoring.cells import shared_contents
from service.monitoring.declarations import LAYOUT
from service.monitoring.metrics import Metrics
from service.monitoring.processes import prepare, remove
from tests.scrapes import sample
from tests.service.monitoring.forked import SHED, Service, shed

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
MOUNT = "mount -t tmpfs -o size=64k tmpfs /mnt"
CROWDED = """
from pathlib import Path
from service.monitoring.metrics import Metrics

first, second = Metrics(Path("/mnt")), Metrics(Path("/mnt"))
for _ in range(1000):
    for metrics in first, second:
        metrics.shed("store")
        metrics.request_finished("/", "GET", 200, 1.0)
for metrics in first, second:
    assert b'shed_total{reason="store"} 1000.0' in metrics.render()
"""


def test_a_process_without_room_serves_on_and_is_only_not_counted(service: Service) -> None:
    """A limit on the size of files stands for the full disk: the same write fails."""
    service.start(shed(3))

    def limited(metrics: Metrics) -> None:
        del metrics
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        outcast = Metrics(service.folder)
        shed(100)(outcast)
        text = outcast.render()
        assert sample(text, SHED, reason="store") == 3  # what the others counted

    service.start(limited)
    assert sample(Metrics(service.folder).render(), SHED, reason="store") == 3


def test_on_a_full_disk_no_process_dies() -> None:
    """On a disk in memory that has room for one process, where the machine lets us mount it."""
    if not shutil.which("unshare"):
        pytest.skip("nothing can be mounted here: unshare is not installed")
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", f'{MOUNT} && exec "$@"']
    probe = subprocess.run([*alone, "sh", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"nothing can be mounted here: {probe.stderr.decode().strip()}")
    ran = subprocess.run([*alone, "sh", sys.executable, "-c", CROWDED], check=False)
    assert ran.returncode == 0  # a death by SIGBUS is -7 or 135


def test_room_for_all_numbers_is_taken_at_the_start(service: Service) -> None:
    """Else a disk that fills up later would kill the process at a store (SIGBUS)."""
    service.start(shed(0))
    (file,) = service.folder.iterdir()
    assert file.stat().st_blocks * 512 >= LAYOUT.shape.n_bytes


def test_a_file_that_is_not_complete_is_not_read(service: Service) -> None:
    (service.folder / f"{LAYOUT.shape.digest}-7").write_bytes(b"\xff" * 100)
    assert shared_contents(service.folder, LAYOUT.shape) == []
    assert sample(Metrics(service.folder).render(), SHED, reason="store") == 0


def test_the_folder_is_in_memory_and_empty_at_every_start(tmp_path: Path) -> None:
    folder = prepare(tmp_path)
    in_memory = folder.resolve()
    (folder / "left").touch()
    assert prepare(tmp_path) == folder
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700
    if processes.MEMORY_DISK.is_dir():
        assert in_memory.parent == processes.MEMORY_DISK
    remove(tmp_path)
    assert not in_memory.exists()
    assert not folder.is_symlink()


def test_what_a_killed_service_left_in_memory_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "MEMORY_DISK", tmp_path)
    runs = [tmp_path / name for name in ("killed", "alive", "next")]
    for run in runs:
        run.mkdir()
    killed, alive = Service(prepare(runs[0])), Service(prepare(runs[1]))
    killed.start(shed(1))
    alive.start(shed(1))
    killed.end()
    left, kept = killed.folder.resolve(), alive.folder.resolve()
    prepare(runs[2])
    assert left.exists()  # it might have just been made
    monkeypatch.setattr(processes, "ABANDONED_S", -1.0)
    prepare(runs[2])
    assert kept.exists()
    assert not left.exists()
    alive.end()


@pytest.mark.parametrize("problem", ["absent", "full"])
def test_without_room_in_memory_the_folder_is_on_the_disk(
    problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if problem == "absent":
        monkeypatch.setattr(processes, "MEMORY_DISK", tmp_path / "none")
    else:
        monkeypatch.setattr(processes, "ROOM_BYTES", 2**62)
    folder = prepare(tmp_path)
    assert folder.is_dir()
    assert not folder.is_symlink()
    remove(tmp_path)
    assert not folder.exists()


def test_the_supervisor_needs_no_numpy_for_its_metrics() -> None:
    code = "import sys, service.monitoring.processes; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
