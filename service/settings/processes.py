"""Settings of the processes: how many there are, how they start, and how they leave."""

from typing import Self

from pydantic import model_validator

from service.settings.base import Slice, key


class Processes(Slice):
    """How many processes answer, how a release is loaded beside them, and how they leave."""

    workers: int | None = key(
        None, "processes", "Processes that answer; unset: one per core. 0: one, for debugging.",
        ge=0, le=256,
    )  # fmt: skip
    load_timeout_s: float = key(
        900.0, "s", "A release that takes longer to be verified and loaded is refused.", gt=0
    )
    idle_load_s: float = key(
        20.0,
        "s",
        "For so long a release that nobody waits for is loaded only when a core is idle.",
        ge=0,
    )
    spare_host: bool = key(
        True, "", "Whether a host without a release waits for the next one, which saves a second."
    )
    memory_mb: int | None = key(
        None, "MB", "Memory the service may use; unset: the limit of its control group.", ge=64
    )
    drain_idle_s: float = key(
        6.0, "s", "Silence after which a leaving worker closes a connection.", ge=0, le=300
    )
    drain_s: float = key(
        9.0, "s", "A leaving worker is gone after this, whatever is still open.", gt=0, le=600
    )
    linger_s: float = key(
        2.0, "s", "After SIGTERM: not ready any more, but still answering for so long.", ge=0, le=60
    )

    @model_validator(mode="after")
    def _drain_fits(self) -> Self:
        if self.drain_s <= self.drain_idle_s:
            raise ValueError("drain_s must be above drain_idle_s")
        return self
