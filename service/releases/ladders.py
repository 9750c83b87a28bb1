"""Reads and writes `ladder.json`: item ids per scope, best first."""

import json
from collections.abc import Mapping

import numpy as np

from service.domain.arrays import Rows
from service.domain.ladders import ALL, Ladder
from service.errors import ReleaseRefused
from service.ports.serving import Catalogue

FILE = "ladder.json"


def read_ladder(content: bytes, catalogue: Catalogue) -> Ladder:
    """Read the static lists of a release.

    Raises:
        ReleaseRefused: "catalogue": not such a file, unknown items, or nothing popular at all.
    """
    try:
        document = json.loads(content)
        ladder = Ladder(
            _scopes(document["popular"], catalogue), _scopes(document["trending"], catalogue)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _refused(f"is not readable ({error!r})") from error
    if not len(ladder.popular_in(ALL)):
        raise _refused(f"has nothing popular in the scope {ALL!r}")
    return ladder


def ladder_json(ladder: Ladder, catalogue_ids: Mapping[int, str]) -> str:
    """The file for a ladder; `catalogue_ids` gives the item id of a row."""
    lists = {
        name: {scope: [catalogue_ids[int(row)] for row in rows] for scope, rows in scopes.items()}
        for name, scopes in (("popular", ladder.popular), ("trending", ladder.trending))
    }
    return json.dumps(lists, ensure_ascii=False, separators=(",", ":")) + "\n"


def _scopes(lists: Mapping[str, list[str]], catalogue: Catalogue) -> dict[str, Rows]:
    scopes = {scope: catalogue.rows_of(ids) for scope, ids in lists.items()}
    for scope, rows in scopes.items():
        if (rows < 0).any():
            unknown = lists[scope][int(np.argmin(rows))]
            raise _refused(f"names the item {unknown!r}, which the catalogue does not have")
        rows.setflags(write=False)
    return scopes


def _refused(what: str) -> ReleaseRefused:
    return ReleaseRefused("catalogue", f"{FILE} {what}: publish the release again")
