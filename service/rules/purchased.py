"""What somebody just bought is not offered again at once."""

from dataclasses import dataclass

from service.domain.arrays import Mask, Rows, among
from service.domain.requests import Query
from service.ports.serving import Release


@dataclass(frozen=True, slots=True)
class NotPurchased:
    """Drops purchases: all of them, or those within the cool-down where people buy again.

    Attributes:
        cooldown_s: how long a purchase is not offered again when repeats make sense.
    """

    cooldown_s: float
    name: str = "purchased"
    fails_closed: bool = False

    def __call__(self, rows: Rows, query: Query, release: Release) -> Mask | None:
        wanted = query.request.exclude_purchased
        purchased = query.session.purchased
        if wanted is False or not len(purchased.hashes):
            return None
        if wanted is None and release.has_repeats:
            hashes = purchased.since(query.now_s - self.cooldown_s)
        else:
            hashes = purchased.hashes
        return ~among(release.catalogue.hashes.take(rows), hashes)
