"""The one page that `release`, `refresh` and `publish` end with."""

from collections.abc import Iterator, Mapping
from typing import Any

from models.building.draft import Draft
from models.building.skew import in_words
from models.building.store import Published
from service.releases.manifest import FILE, read_manifest

SHOWN = ("recall@50", "ndcg@10")


def report(draft: Draft, published: Published, seconds: Mapping[str, float]) -> Iterator[str]:
    """Lines for a person to read."""
    folder, verdict = published.folder, published.verdict
    facts = read_manifest(folder / FILE)
    size = sum(file.bytes for file in facts.files.values())
    now = "now current" if published.is_current else "NOT current"
    yield f"release     {facts.release} in {folder.parent}, {size / 1e6:.1f} MB, {now}"
    for objection in verdict.objections:
        yield f"objection   {objection}"
    for remark in verdict.remarks:
        yield f"gate        {remark}"
    yield f"embedding   {facts.embedding_version}, {facts.n_items:,} items x {facts.dim}"
    yield f"as of       {facts.as_of}, trained through {facts.trained_through}"
    kind = "repeats make sense" if facts.again.has_repeats else "no repeats"
    yield f"own items   weight {facts.again.weight:g}, {kind}"
    for trial in draft.index.trials:
        yield f"index       {trial}"
    yield from _quality(facts.metrics)
    for line in in_words(facts.skew):
        yield f"skew        {line}"
    took = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    yield f"took        {took}"


def _quality(metrics: Mapping[str, Any]) -> Iterator[str]:
    if not metrics:
        yield "quality     not measured"
    for target, found in metrics.get("targets", {}).items():
        yield f"quality     {target}: {found['cases']:,} orders of {found['users']:,} users"
        for row in found["rows"]:
            measures = ", ".join(
                f"{name} {row['overall'][name][0]:.3f}" for name in SHOWN if name in row["overall"]
            )
            yield f"  {row['name']:66} {measures}"
