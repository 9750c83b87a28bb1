"""What callers send about people; validated strictly, unknown fields refused."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from service.api.schemas import Id, Ids, Text, Wire


class UserPath(Wire):
    """The id in the path of a person."""

    user_id: Id


SIGNALS = range(3, 6)
"""How many interests onboarding declares."""


class InterestsBody(Wire):
    """What somebody declares to like: 3 to 5 categories and items together."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"categories": ["toys"], "item_ids": ["i1", "i2"]}]}
    )

    categories: Annotated[list[Text], Field(max_length=5, default_factory=list)]
    item_ids: Annotated[Ids, Field(max_length=5, default_factory=list)]

    @model_validator(mode="after")
    def _are_three_to_five(self) -> Self:
        if len(set(self.categories)) + len(set(self.item_ids)) not in SIGNALS:
            raise PydanticCustomError("interests", "3 to 5 different categories and items together")
        return self


class LinkBody(Wire):
    """An account, and the anonymous ids (devices, cookies) that are the same person's."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user_id": "17850", "anonymous_id": "d-7f3a"}]}
    )

    user_id: Id
    anonymous_id: Id | None = None
    anonymous_ids: Annotated[list[Id], Field(max_length=8, default_factory=list)]

    @property
    def ids(self) -> list[str]:
        """All of them, each once."""
        given = [] if self.anonymous_id is None else [self.anonymous_id]
        return list(dict.fromkeys([*given, *self.anonymous_ids]))

    def field_of(self, one: str) -> str:
        """Where an id stands."""
        if one == self.anonymous_id:
            return "anonymous_id"
        return f"anonymous_ids.{self.anonymous_ids.index(one)}"

    @model_validator(mode="after")
    def _name_somebody(self) -> Self:
        if not self.ids:
            raise PydanticCustomError("link", "anonymous_id or anonymous_ids is needed")
        return self
