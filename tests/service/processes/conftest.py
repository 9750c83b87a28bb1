"""One service of two workers, whatever is asked of its processes."""

from tests.families import family, running_family, store

__all__ = ["family", "running_family", "store"]
