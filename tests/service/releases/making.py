"""Releases for the mutations: with an item tower, so that there is one to swap."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from models.building.store import publish
from tests.releases import make_draft, make_shop
from tests.towers import INT64, constant_tower


def make_release_with_item_tower(store: Path, seed: int) -> Path:
    """Release of a training, named by its seed."""
    draft = make_draft(make_shop(seed=seed), seed=seed, name=f"2023111{seed}-000000")
    inputs = {"category": (INT64, ["B"])}
    item_tower = constant_tower(np.eye(16)[0].tolist(), inputs, "item_vector", f"test-{seed}")
    names = replace(draft.manifest.inputs, item_tower=("category",))
    manifest = replace(draft.manifest, inputs=names)
    published = publish(replace(draft, item_tower=item_tower, manifest=manifest), store)
    return published if isinstance(published, Path) else published.folder
