"""The stamp that binds a tower to one release: the hashes of all other files, in its metadata."""

import json
from collections.abc import Mapping

from service.errors import ReleaseRefused
from service.releases.manifest import ITEM_TOWER, USER_TOWER, FileFacts, Manifest

VERSION = "embedding_version"
FILES = "files"
"""Key of the metadata: a JSON object, name -> SHA-256 of every file but towers and manifest."""

TOWERS = (USER_TOWER, ITEM_TOWER)


def stamp(files: Mapping[str, FileFacts]) -> str:
    """What a tower has to carry to be published with these files."""
    hashes = {name: facts.sha256 for name, facts in sorted(files.items()) if name not in TOWERS}
    return json.dumps(hashes, separators=(",", ":"))


def check_stamp(tower: str, properties: Mapping[str, str], manifest: Manifest) -> None:
    """Compare what a tower carries with the release that it lies in.

    Raises:
        ReleaseRefused: "version": a tower of another embedding version, or published with another
            file than the one that lies beside it.
    """
    found = properties.get(VERSION, "")
    if found != manifest.embedding_version:
        raise ReleaseRefused(
            "version",
            f"{tower} has the embedding version {found or 'none'}, the manifest says "
            f"{manifest.embedding_version}: publish tower and index of one training together",
        )
    other = foreign_file(properties, manifest.files)
    if other is not None:
        raise ReleaseRefused(
            "version",
            f"{other} is not the file that {tower} was published with: publish the release again",
        )


def foreign_file(properties: Mapping[str, str], files: Mapping[str, FileFacts]) -> str | None:
    """The first file that a tower was not published with; None when all are those of its stamp."""
    try:
        stamped = json.loads(properties.get(FILES, "{}"))
    except ValueError:
        stamped = {}
    wanted = json.loads(stamp(files))
    if stamped == wanted:
        return None
    if not isinstance(stamped, dict):
        stamped = {}
    return next((name for name in wanted if stamped.get(name) != wanted[name]), FILES)
