"""Who may change releases over HTTP: whoever sends a token of this service, and nobody else."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from service.api.problems import Forbidden, Unauthorized
from service.monitoring.metrics import Metrics

SCHEME = b"bearer "


class AdminKey:
    """The valid tokens, as digests: none of them can be printed, none is kept."""

    __slots__ = ("_digests",)

    def __init__(self, tokens: Sequence[str] = ()) -> None:
        self._digests = tuple(_digest(token.encode()) for token in tokens)

    def check(self, headers: Mapping[bytes, bytes], metrics: Metrics) -> None:
        """Looks at the Authorization header, in the same time whatever it holds.

        Raises:
            Forbidden: this service has no token, so nobody may.
            Unauthorized: no token was sent, or one that is not valid.
        """
        if not self._digests:
            metrics.operator.auth_failed("unset")
            raise Forbidden
        given = headers.get(b"authorization", b"")
        if given[: len(SCHEME)].lower() != SCHEME:
            metrics.operator.auth_failed("missing")
            raise Unauthorized("send the header Authorization: Bearer TOKEN")
        digest = _digest(given[len(SCHEME) :].strip())
        if not any([hmac.compare_digest(digest, valid) for valid in self._digests]):
            metrics.operator.auth_failed("wrong")
            raise Unauthorized("this token is not valid here")


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
