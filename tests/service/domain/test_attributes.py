import pytest

from service.domain.attributes import Kind, is_of_kind

VALUES: dict[Kind, tuple[object, ...]] = {
    Kind.CATEGORY: ("red", ""),
    Kind.TAGS: (("red", "green"), ["red"], ()),
    Kind.NUMBER: (1, 2.5),
    Kind.FLAG: (True, False),
}


@pytest.mark.parametrize("kind", Kind)
def test_a_value_is_of_one_kind(kind: Kind) -> None:
    for other, values in VALUES.items():
        assert all(is_of_kind(kind, value) == (kind is other) for value in values)
