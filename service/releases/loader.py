"""Turns a release folder into a loaded release, or says in one sentence why not."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.errors import ReleaseRefused
from service.ports.serving import Release
from service.releases import checks
from service.releases.files import Identities
from service.releases.loading import Loading

CHECKS: tuple[tuple[str, Callable[[Loading], str]], ...] = (
    ("manifest", checks.check_manifest),
    ("complete", checks.check_complete),
    ("checksums", checks.check_bytes),
    ("stamps", checks.check_tower_files),
    ("vectors", checks.check_vectors),
    ("lengths", checks.check_lengths),
    ("catalogue", checks.check_catalogue),
    ("towers", checks.check_towers),
    ("links", checks.check_links),
    ("index", checks.check_index),
    ("lists", checks.check_lists),
    ("probes", checks.check_probes),
    ("hubs", checks.check_hubs),
    ("warm-up", checks.warm_up),
    ("handshake", checks.check_handshake),
)
"""In this order: nothing is opened before its bytes are proved, nothing is asked before it fits."""

PROOFS = frozenset({"checksums", "stamps", "lengths", "links", "hubs"})
"""The checks that say the same again of the same bytes, and that no other check needs."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of a release: what was looked at, and what was found.

    Attributes:
        reason: code of the refusal, empty when passed.
    """

    name: str
    passed: bool
    detail: str
    duration_s: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A release in memory.

    Attributes:
        proved: the identities of its files, to be given when it is loaded again.
        left_out: the names of the checks that were not made again.
    """

    release: Release
    proved: Identities
    left_out: tuple[str, ...] = ()


def load(folder: Path, proved: Identities | None = None) -> Loaded:
    """Check and load a release; no thread that was needed for it is left.

    Args:
        folder: the release.
        proved: the identities of its files when it was proved; `PROOFS` are left out if no file
            was replaced or written since.

    Raises:
        ReleaseRefused: with a reason code, and one sentence that names the file and the fix.
    """
    loading, left_out = Loading(folder, proved), []
    for name, check in CHECKS:
        if name in PROOFS and loading.is_proved:
            left_out.append(name)
        else:
            check(loading)
    return Loaded(loading.release(), loading.identities, tuple(left_out))


def load_release(folder: Path) -> Release:
    """Check and load a release of which nothing is known.

    Raises:
        ReleaseRefused: see `load`.
    """
    return load(folder).release


def verify(folder: Path) -> list[CheckResult]:
    """Run all checks and report each; what follows a failure is not run."""
    loading = Loading(folder)
    results = []
    for name, check in CHECKS:
        began_s = time.perf_counter()
        try:
            detail, reason = check(loading), ""
        except ReleaseRefused as error:
            detail, reason = str(error), error.reason
        duration_s = time.perf_counter() - began_s
        results.append(CheckResult(name, not reason, detail, duration_s, reason))
        if reason:
            break
    return results


def lines(results: Sequence[CheckResult]) -> Iterator[str]:
    """What `verify` found, as a table that also names what was not reached."""
    for result in results:
        word = "ok" if result.passed else "REFUSED"
        detail = result.detail if result.passed else f"({result.reason}) {result.detail}"
        yield f"{word:<8} {result.name:<10} {1e3 * result.duration_s:8.1f} ms  {detail}"
    for name, _ in CHECKS[len(results) :]:
        yield f"{'-':<8} {name:<10} {'':>8}     not run"
    if results[-1].passed:
        yield f"all {len(results)} checks passed in {sum(r.duration_s for r in results):.2f} s"
