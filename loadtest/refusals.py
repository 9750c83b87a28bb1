"""Releases that must not go live, and what clients notice of the attempt."""

import hashlib
import json
import os
import shutil
import signal
import struct
import threading
import time
from pathlib import Path

import numpy as np

from loadtest.operating import HOST, Operator, Refused
from loadtest.processes import LoadTestFailed
from loadtest.promises import Promises
from loadtest.rig import Rig
from loadtest.switches import bad, n_bad, part

DAMAGED = "20260101-000001-damaged"
INDEX = "items.hnsw"
HEADER_BYTES = 96
NO_SUCH_ELEMENT = 0xFFFF_FFF0
P99_RATIO = 1.5
PAUSE_S = 10.0
UNPROCESSABLE = 422
LOOK_S, INTO_LOADING_S = 0.05, 0.2


def damaged(store: Path, release: str) -> Path:
    """A copy whose graph has a link to nowhere, under the right checksum: it crashes hnswlib."""
    folder = store / DAMAGED
    shutil.copytree(store / release, folder)
    with (folder / INDEX).open("r+b") as file:
        file.seek(HEADER_BYTES + 4)
        file.write(struct.pack("<I", NO_SUCH_ELEMENT))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["release"] = DAMAGED
    with (folder / INDEX).open("rb") as file:
        manifest["files"][INDEX]["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def refusals(rig: Rig, rate: float, store: Path, promises: Promises) -> None:
    """Asks for a damaged release, and for a good one whose loading process crashes."""
    folder = damaged(store, rig.names[0])
    spans, refused = [], []
    try:
        with rig.load(rate) as driver:
            for attempt in (_load_damaged, _load_and_crash):
                time.sleep(PAUSE_S)
                began_s = time.monotonic()
                refused.append(attempt(rig))
                spans.append((began_s, time.monotonic()))
            time.sleep(PAUSE_S)
            calls = driver.stop()
    finally:
        shutil.rmtree(folder)
    during = np.any([calls.within(*span) for span in spans], axis=0)
    steady, attempts = part("steady", calls, ~during), part("while refusing", calls, during)
    print("\nreleases that are refused", steady, attempts, bad(calls), sep="\n")
    for answer, (began_s, ended_s) in zip(refused, spans, strict=True):
        print(f"{answer.status} after {ended_s - began_s:.1f} s: {answer.problem.get('detail')}")
    promises.at_most("calls that failed while refusing", n_bad(calls), 0)
    promises.at_most("p99 while refusing / steady", attempts.p99_ms / steady.p99_ms, P99_RATIO)


def _load_damaged(rig: Rig) -> Refused:
    return _refused(rig.operator.ask("load", DAMAGED))


def _load_and_crash(rig: Rig) -> Refused:
    """What a native crash looks like, whatever caused it."""
    is_answered = threading.Event()
    killer = threading.Thread(target=_crash_next_host, args=(rig.operator, is_answered))
    killer.start()
    try:
        return _refused(rig.operator.ask("load", rig.other))
    finally:
        is_answered.set()
        killer.join()


def _crash_next_host(operator: Operator, is_answered: threading.Event) -> None:
    known = {process.pid for process in operator.family if process.name == HOST}
    while not is_answered.wait(LOOK_S):
        new = [p for p in operator.family if p.pid not in known and p.name == HOST]
        if new and not is_answered.wait(INTO_LOADING_S):
            os.kill(new[0].pid, signal.SIGSEGV)
            return


def _refused(answer: Refused | None) -> Refused:
    if answer is None or answer.status != UNPROCESSABLE:
        raise LoadTestFailed(f"a release that cannot be served was not refused: {answer}")
    return answer
