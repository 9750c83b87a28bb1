"""System calls that only Linux has; elsewhere they do nothing, and nothing depends on them."""

import ctypes
import sys

PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36
NAME_BYTES = 15


def die_with_parent(number: int) -> None:
    """Has the end of the parent send this signal; 0 sends none."""
    _prctl(PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Descendants whose parent has died become children of this process, which reaps them."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def name_process(name: str) -> None:
    """What `ps -o comm` and `top` show; 15 characters."""
    _prctl(PR_SET_NAME, ctypes.create_string_buffer(name.encode()[:NAME_BYTES]))


def _prctl(option: int, argument: object) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, argument)
