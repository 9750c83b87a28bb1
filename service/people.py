"""The people path: who is who, what somebody declares, and forgetting them."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.identity import ACCOUNT, ANONYMOUS, LinkOutcome
from service.ports.serving import Release
from service.ports.stores import IdentityStore


@dataclass(frozen=True, slots=True)
class Interests:
    """What was taken over: category names, each once; and names and ids that nobody knows."""

    names: tuple[str, ...]
    unknown: tuple[str, ...]


class People:
    """What can be done to a person, by the ids that callers use."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    async def link(self, user_id: str, anonymous_ids: Sequence[str]) -> list[LinkOutcome]:
        """Makes anonymous ids one with an account; an outcome for each.

        Raises:
            StoreUnavailable: perhaps not all are linked; linking again is safe.
        """
        account = ACCOUNT + user_id
        return [await self._store.link(account, ANONYMOUS + one) for one in anonymous_ids]

    async def unlink(self, user_id: str, anonymous_ids: Sequence[str]) -> list[LinkOutcome]:
        """Takes them apart again; an outcome for each.

        Raises:
            StoreUnavailable: perhaps not all are undone; doing it again is safe.
        """
        account = ACCOUNT + user_id
        return [await self._store.unlink(account, ANONYMOUS + one) for one in anonymous_ids]

    async def set_interests(
        self, user_id: str, categories: Sequence[str], item_ids: Sequence[str], release: Release
    ) -> Interests:
        """Replaces what somebody declared: categories, and those of the items.

        Nothing is stored when nothing of it is known.

        Raises:
            StoreUnavailable: not known to be stored.
        """
        interests = known_interests(categories, item_ids, release)
        if interests.names:
            await self._store.set_interests(ACCOUNT + user_id, interests.names)
        return interests

    async def forget(self, user_id: str) -> int:
        """Deletes everything kept of a person, and of the linked ids; how many ids these were.

        Raises:
            StoreUnavailable: perhaps not everything is gone; doing it again is safe.
        """
        return len(await self._store.forget(ACCOUNT + user_id))


def known_interests(
    categories: Sequence[str], item_ids: Sequence[str], release: Release
) -> Interests:
    """Declared names and items as categories of a release."""
    catalogue = release.catalogue
    known = set(catalogue.category_names)
    names = [name for name in categories if name in known]
    unknown = [name for name in categories if name not in known]
    for item_id in item_ids:
        row = catalogue.row_of(item_id)
        if row < 0:
            unknown.append(item_id)
        else:
            names.append(catalogue.category_names[int(catalogue.categories[row])])
    return Interests(tuple(dict.fromkeys(names)), tuple(dict.fromkeys(unknown)))
