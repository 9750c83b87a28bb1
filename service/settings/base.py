"""How a setting is declared: default, unit, bounds and one sentence."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def key(default: object, unit: str, meaning: str, **bounds: Any) -> Any:
    """A setting: default, unit (empty for a plain word or number), one sentence, bounds."""
    return Field(default, description=meaning, json_schema_extra={"unit": unit}, **bounds)


class Slice(BaseModel):
    """The settings of one part."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
