"""Who asks: the ids of a request become one person."""

from collections import OrderedDict
from collections.abc import Iterable

from service.domain.identity import NOBODY, Person, user_key
from service.domain.requests import Request


class Identify:
    """Remembers which ids belonged together lately, to read them all in the first round trip.

    What is remembered is a guess: the sessions themselves say who is linked, and they are read
    anew for every request. So an old guess costs a wasted or a second read, never a wrong answer.
    """

    def __init__(self, remembered: int) -> None:
        self._remembered = remembered
        self._people: OrderedDict[str, Person] = OrderedDict()

    def __call__(self, request: Request) -> Person:
        """The person as far as is known; without a memory, the ids as given.

        With a user id the anonymous id of the request only counts if it is linked to that user.
        """
        user = user_key(request.user_id, request.anonymous_id)
        if user is None:
            return NOBODY
        known = self._people.get(user)
        if known is not None:
            self._people.move_to_end(user)
            return known
        if request.user_id is None or request.anonymous_id is None:
            return Person(user, (user,))
        return Person(user, (user, f"a:{request.anonymous_id}"))

    def forget(self, users: Iterable[str]) -> None:
        """Remembers nothing of these any more."""
        for user in users:
            self._people.pop(user, None)

    def remember(self, user: str, ids: tuple[str, ...]) -> None:
        """Notes the ids of the person behind `user`; somebody with one id is not worth it."""
        if len(ids) <= 1:
            self._people.pop(user, None)
            return
        self._people[user] = Person(user, (user, *(one for one in ids if one != user)))
        self._people.move_to_end(user)
        if len(self._people) > self._remembered:
            self._people.popitem(last=False)
