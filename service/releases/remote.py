"""The only place that speaks fsspec: objects below a URL, with errors of two kinds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec

from service.errors import SetupInvalid

MIB = 2**20
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
"""Protocol -> the optional dependency of this package that brings its backend."""
S3_OPTIONS: dict[str, object] = {
    "config_kwargs": {"retries": {"max_attempts": 0}},  # s3fs itself tries five times
    "default_block_size": 8 * MIB,  # as few MiB in flight as a small process can bear
    "max_concurrency": 4,
}
GCS_OPTIONS: dict[str, object] = {"timeout": 20}
OPTIONS = {"s3": S3_OPTIONS, "s3a": S3_OPTIONS, "gs": GCS_OPTIONS, "gcs": GCS_OPTIONS}
"""Time limits and memory; credentials and endpoints come from the environment."""


class Unreachable(OSError):
    """The store does not answer, or does not let us in; the sentence says which and what to do."""


class Remote:
    """Objects below a URL.

    `FileNotFoundError` means that the store answered and has no such object; whatever else a
    backend raises (they agree on no base class) becomes `Unreachable`. Backends retry by
    themselves for at most about two minutes.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        protocol = url.partition("://")[0]
        try:
            options: dict[str, object] = {"use_listings_cache": False, **OPTIONS.get(protocol, {})}
            self._files, self._root = fsspec.core.url_to_fs(self._url, **options)
        except ImportError as error:
            raise SetupInvalid(_without_backend(url, protocol, error)) from error
        except ValueError as error:
            raise SetupInvalid(f"the store {url} cannot be used: {error}") from error

    def read(self, path: str, limit: int) -> bytes:
        """A whole object, which must not be longer than `limit` bytes."""
        size = self.size(path)
        if size > limit:
            raise Unreachable(f"{self._url}/{path} is {size} bytes long, more than it can be")
        with self._reaching(path):
            content: bytes = self._files.cat_file(self._at(path))
            return content

    def has(self, path: str) -> bool:
        """Whether there is such an object; fsspec's own `exists` takes any failure for a no."""
        try:
            return self.size(path) >= 0
        except FileNotFoundError:
            return False

    def size(self, path: str) -> int:
        """Bytes of an object."""
        with self._reaching(path):
            self._files.invalidate_cache()
            return int(self._files.size(self._at(path)))

    def get(self, path: str, to: Path) -> None:
        """Copy an object into a local file."""
        with self._reaching(path):
            self._files.get_file(self._at(path), str(to))

    def put(self, source: Path, path: str) -> None:
        """Copy a local file into an object; folders are made where the store has such things."""
        with self._reaching(path):
            self._files.put_file(str(source), self._at(path))

    def write(self, path: str, content: bytes) -> None:
        """Replace an object: atomic where one put is (S3, GCS, Azure)."""
        with self._reaching(path):
            self._files.pipe_file(self._at(path), content)

    def paths(self, depth: int) -> tuple[str, ...]:
        """All objects down to this depth, relative to the URL."""
        with self._reaching(""):
            self._files.invalidate_cache()
            found = self._files.find(self._root, maxdepth=depth, on_error="raise")
            return tuple(path.removeprefix(self._root).lstrip("/") for path in found)

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    @contextmanager
    def _reaching(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as error:
            raise Unreachable(
                f"{self._url}/{path} cannot be reached ({type(error).__name__}: {error}): check "
                "the network, the address and the credentials"
            ) from error


def _without_backend(url: str, protocol: str, error: ImportError) -> str:
    extra = EXTRAS.get(protocol)
    fix = f"pip install 'sightline[{extra}]'" if extra else str(error)
    return f"the store {url} needs a package that is not installed: {fix}"
