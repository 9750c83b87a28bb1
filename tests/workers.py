"""Callers that know which worker answers them: one for each, on a connection that is kept."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from loadtest.workers import answering
from tests.journeys.running import Running, until
from tests.processes import SOON_S, Served


@contextmanager
def a_caller_each(family: Served) -> Iterator[list[Running]]:
    """A caller for every worker; at the end each was still answered by its own.

    Whichever worker is faster takes a connection, so callers come until all have one.
    """
    family.settled()
    callers: dict[int, Running] = {}
    with ExitStack() as stack:

        def is_complete() -> bool:
            caller = family.service.another()
            stack.callback(caller.http.close)
            callers.setdefault(worker_of(caller, family), caller)
            return callers.keys() == family.workers()

        until(is_complete, SOON_S, "a connection to every worker")
        yield [*callers.values()]
        assert [worker_of(caller, family) for caller in callers.values()] == [*callers]


def worker_of(caller: Running, family: Served) -> int:
    """The process id of the worker at the other end of the caller's connection."""
    stream = caller.http.get("/livez").extensions["network_stream"]
    (_, near), (_, far) = stream.get_extra_info("client_addr"), stream.get_extra_info("server_addr")
    return answering(near, far, family.workers())
