"""Every error of the service, as a tree.

ServiceError
├── BadRequest            the caller can mend it
│   └── InvalidField      names the field
├── Unavailable           a part is down or late; the read path goes on without it
│   ├── StoreUnavailable  sessions cannot be read or written
│   ├── TowerUnavailable  no usable user vector
│   └── IndexUnavailable  no neighbours
├── NotReady              no release is live
├── ReleaseRefused        it may not go live; carries a reason code and a sentence
├── Busy                  another release is being loaded or activated
└── SetupInvalid          the service cannot start: settings, store, embedded Redis
"""


class ServiceError(Exception):
    """Base of all errors raised on purpose."""


class BadRequest(ServiceError):
    """The caller asked for something that cannot be done."""


class InvalidField(BadRequest):
    """One field of the request is wrong."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


class Unavailable(ServiceError):
    """A part does not answer; `outcome` is a word of the closed metric label set."""

    def __init__(self, outcome: str, detail: str = "") -> None:
        super().__init__(detail or outcome)
        self.outcome = outcome


class StoreUnavailable(Unavailable):
    """Sessions cannot be read or written."""


class TowerUnavailable(Unavailable):
    """The user tower gave no usable vector."""


class IndexUnavailable(Unavailable):
    """The index gave no neighbours."""


class NotReady(ServiceError):
    """No release is live."""


REASONS = (
    *("name", "manifest", "missing", "incomplete", "checksum", "version", "operators"),
    *("external_data", "tower", "vectors", "catalogue", "index", "golden", "recall"),
    *("gate_norms", "gate_duplicates", "gate_hubs", "gate_items", "gate_metrics"),
    *("crash", "memory", "disk"),
)
"""Why a release is refused; docs/releases.md says what each means and what to do."""


class ReleaseRefused(ServiceError):
    """A release may not go live.

    Attributes:
        reason: short code of a closed set, see `REASONS`.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class Busy(ServiceError):
    """Another release is being loaded or activated."""


class SetupInvalid(ServiceError):
    """The service cannot start; the sentence names the cause and the fix."""
