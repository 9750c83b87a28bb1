"""Scenarios: places on the site with pipeline settings of their own, in one reviewed file."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from service.errors import SetupInvalid
from service.settings.pipeline import PipelineSettings

DEFAULT = "default"
NOT_HERE = frozenset({"scenarios"})


def load_scenarios(base: PipelineSettings) -> Mapping[str, PipelineSettings]:
    """The settings of each scenario: those of the environment, changed by its table.

    The file is TOML with one table per scenario, whose keys are those of `PipelineSettings`.

    Raises:
        SetupInvalid: unreadable, or a key or value that cannot be; the sentence names it.
    """
    if base.scenarios is None:
        return {}
    path = base.scenarios
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SetupInvalid(f"the scenarios in {path} cannot be read: {error}") from error
    return {name: _scenario(name, table, base, path) for name, table in tables.items()}


def _scenario(name: str, table: object, base: PipelineSettings, path: Path) -> PipelineSettings:
    if not isinstance(table, dict):
        raise SetupInvalid(f"{path}: {name} belongs into a table: write it below a [scenario] line")
    if name == DEFAULT:
        raise SetupInvalid(f"{path}: [{DEFAULT}] is set by SIGHTLINE_PIPELINE__ names: remove it")
    known = set(PipelineSettings.model_fields) - NOT_HERE
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SetupInvalid(f"{path}: [{name}] {key}: no such setting{hint}")
    try:
        return PipelineSettings.model_validate({**base.model_dump(), **table})
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(step) for step in problem["loc"])
        raise SetupInvalid(f"{path}: [{name}] {where}: {problem['msg']}") from error
