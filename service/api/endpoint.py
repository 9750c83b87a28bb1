"""What every endpoint of the API begins with."""

from service.api.exchange import SCOPE_KEY, Exchange, Receive, Scope, Send
from service.api.parts import Access
from service.wiring.parts import Parts


class Endpoint:
    """An ASGI endpoint that answers through its exchange.

    Attributes:
        route: its path, as documented and counted.
    """

    route: str

    def __init__(self, access: Access) -> None:
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.route = self.route
        await self.serve(exchange, scope, self._access.parts)

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
        """Reads the request and answers it.

        Raises:
            Exception: any; the edge answers it as a problem.
        """
        raise NotImplementedError
