"""Who asks: the ids of a request become one key of one person."""

from service.domain.requests import Request


def user_key(user_id: str | None, anonymous_id: str | None) -> str | None:
    """The key under which a person's actions are kept, None for nobody.

    The prefix keeps an account `7` and a device `7` apart.
    """
    if user_id is not None:
        return f"u:{user_id}"
    return None if anonymous_id is None else f"a:{anonymous_id}"


def identify(request: Request) -> str | None:
    """The person's key; ids are taken as given."""
    return user_key(request.user_id, request.anonymous_id)
