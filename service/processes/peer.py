"""A host or worker at the other end of the control socket, as the supervisor hears it."""

import asyncio

from service.processes.control import Message, decode, encode


class Peer:
    """A process at the other end of the control socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.is_ready = False
        self.is_accepting = False
        self.is_leaving = False
        self.is_shut = False

    def tell(self, tell: str, **words: object) -> None:
        """Says something; one that is gone does not hear it."""
        self._writer.write(encode({"tell": tell, **words}))

    async def heard(self) -> Message | None:
        """What it says next; None when it is gone."""
        try:
            line = await self._reader.readline()
        except OSError:
            return None
        return decode(line) if line else None
