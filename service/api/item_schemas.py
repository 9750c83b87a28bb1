"""What callers send about items; validated strictly, unknown fields refused."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from service.api.schemas import Id, Text, Wire, Word

Stock = Annotated[int, Field(ge=0, le=2**31 - 1)]
Name = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\p{Cc}]*$")]
Price = Annotated[float, Field(ge=0)]
Attributes = dict[Word, Name | bool | float | Annotated[list[Name], Field(max_length=50)]]
DIM_MAX = 4096


class ItemPath(Wire):
    """The id in the path of an item."""

    item_id: Id


class ItemPatch(Wire):
    """What can be changed about an item at once; one of them is needed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"stock": 0},
                {"price": 2.5, "is_blocked": False},
                {"attributes": {"category": "garden"}},
            ]
        }
    )

    stock: Stock | None = None
    price: Price | None = None
    is_blocked: bool | None = None
    attributes: Annotated[Attributes, Field(min_length=1, max_length=50, default_factory=dict)]
    """Those that the live release declares as filterable."""

    @field_validator("*", mode="before")
    @classmethod
    def _is_not_null(cls, value: object) -> object:
        if value is None:
            raise PydanticCustomError("null", "null says nothing: leave it out")
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("patch", "stock, price, is_blocked or attributes is needed")
        return self


class NewItemBody(Wire):
    """An item that the live release does not know yet."""

    item_id: Id
    title: Name
    category: Name
    seller: Text = ""
    price: Price | None = None
    stock: Stock | None = None
    is_blocked: bool | None = None
    attributes: Annotated[Attributes, Field(max_length=50, default_factory=dict)]
    """Beyond the fields above; the release may declare some of them as filterable."""
    vector: Annotated[list[float], Field(min_length=1, max_length=DIM_MAX)] | None = None
    """Of the space that `embedding_version` names; any length but 0, it is made a unit vector."""
    embedding_version: Word | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.vector is None) != (self.embedding_version is None):
            raise PydanticCustomError("vector", "vector and embedding_version go together")
        if self.vector is not None and not any(self.vector):
            raise PydanticCustomError("vector", "a vector of zeros points nowhere")
        return self


class NewItemsBody(Wire):
    """Items that arrive after the live release was built."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "item_id": "n-1",
                            "title": "red garden lantern",
                            "category": "garden",
                            "price": 12.5,
                            "stock": 40,
                        }
                    ]
                }
            ]
        }
    )

    items: Annotated[list[NewItemBody], Field(min_length=1, max_length=100)]
