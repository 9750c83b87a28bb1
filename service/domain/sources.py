"""Which mechanism proposed a candidate."""

from enum import IntEnum


class Source(IntEnum):
    """A source; its lower-case name is the word in answers and metrics."""

    ANN = 0
    AGAIN = 1
    CONTENT = 2
    TRENDING = 3
    POPULAR = 4
    EXPLORATION = 5
    SPONSORED = 6

    @property
    def word(self) -> str:
        return self.name.lower()


SOURCE_WORDS: tuple[str, ...] = tuple(source.word for source in Source)
