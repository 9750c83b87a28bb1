"""The listening socket, and what is said when somebody can connect to it."""

import json
import shlex
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from service.errors import SetupInvalid

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """The listening socket.

    Raises:
        SetupInvalid: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SetupInvalid(
            f"cannot listen on {host}:{port} ({error.strerror}): "
            "stop what uses it, or choose another with --port or PORT="
        ) from error


@dataclass(frozen=True, slots=True)
class Served:
    """What the greeting says of the release; the examples are items worth asking with."""

    release: str
    n_items: int
    examples: Sequence[str]


def greeting(listener: socket.socket, served: Served, took_s: float) -> str:
    """Where to ask, and what."""
    host, port = listener.getsockname()[:2]
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::", "::1") else host
    url = f"http://{shown}:{port}"
    actions = [
        {"item_id": item_id, "event_type": word}
        for item_id, word in zip(served.examples, ("view", "add_to_cart"), strict=False)
    ]
    body = shlex.quote(json.dumps({"k": 5, "recent_actions": actions}))
    return (
        f"Sightline serves release {served.release} ({served.n_items} items) on {url}"
        f" after {took_s:.1f} s.\n\nTry it:\n\n"
        f"  curl -s {url}/v1/recommend -H 'Content-Type: application/json' \\\n    -d {body}\n\n"
        f"All calls: {url}/docs   Metrics: {url}/metrics   More: README.md   Stop: Ctrl-C"
    )
