"""A file that one process at a time may write to."""

import os
from typing import BinaryIO


def lock(file: BinaryIO, *, wait: bool = False) -> None:
    """Keep other processes from locking an open file until it is closed; killed, a process lets go of it.

    On systems without such locks (Windows) nothing is kept from anybody.

    Parameters
    ----------
    file : binary file
    wait : bool
        Until another one that has it lets go of it.

    Raises
    ------
    OSError
        If another one has it.
    """
    if os.name == "posix":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
