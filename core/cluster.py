"""Work handed to processes of Dask: on this machine, or wherever a scheduler's workers run.

Processes are spawned, never forked: TensorFlow hangs in a fork. Of every worker that dies the blocks under way are done
again by another one. Only a bounded number of blocks is under way at any time.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

from core.errors import ClusterError
from core.parallel import CORES_VARIABLE, cores

if TYPE_CHECKING:
    from distributed import Client

Shared = TypeVar("Shared")
Block = TypeVar("Block")
Result = TypeVar("Result")
AHEAD = 2
"""Blocks at hand of each worker, beside one at work in each of its threads."""
CONNECT_SECONDS = 15
PATIENCE = "10 minutes"
_SENT = "planelab"
_START_ANEW = "start the workers anew, in the folder of this version of the program, and run the command again."
DEATHS = 3
"""Times that a block may see its worker die before it is given up."""


@contextmanager
def local_cluster(workers: int, cores_each: int | None = None) -> Iterator[Client]:
    """Processes of this machine, for as long as the context lasts.

    Parameters
    ----------
    cores_each : int, optional
        How many cores each of them uses; by default they share all there are.
    """
    import dask
    from distributed import Client, LocalCluster

    # Where TensorFlow came first, Dask finds a log set up, leaves it as it is, and tells it of every step.
    logging.getLogger("distributed").setLevel(logging.WARNING)
    settings = {
        "distributed.scheduler.allowed-failures": DEATHS - 1,
        # A busy machine takes its time to start a process anew: by default Dask gives it up after 15 seconds for good.
        "distributed.deploy.lost-worker-timeout": PATIENCE,
        "distributed.scheduler.no-workers-timeout": PATIENCE,
        "distributed.worker.memory.spill": False,
    }
    each = cores_each or max(1, cores() // workers)
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=each,
            processes=True,
            # No dashboard. Its server runs all the same, and of two commands at once the second would warn of a port in
            # use.
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            memory_limit=0,
            env={CORES_VARIABLE: str(each)},
        ) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(workers)
        yield client


@contextmanager
def scheduler_at(address: str) -> Iterator[Client]:
    """The workers of a scheduler that runs already.

    Raises
    ------
    ClusterError
        If it cannot be reached, or has no workers.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"There is no scheduler at {address}; check the address, such as tcp://host:8786."
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise ClusterError(f"The scheduler at {address} has no workers; start some with: dask worker {address}")
        yield client


@dataclass(frozen=True)
class Sent(Generic[Shared]):
    """Stands for something that all workers have: blocks carry this instead of the thing itself."""

    name: str

    @property
    def value(self) -> Shared:
        """In a worker: the thing itself. Raises ClusterError where it has not come."""
        from distributed import get_worker

        plugins = get_worker().plugins
        # A worker that joined later and failed over it has the plugin, but no value.
        if not hasattr(plugins.get(self.name), "value"):
            raise ClusterError(f"A worker lacks what it was sent; {_START_ANEW}")
        return plugins[self.name].value


@contextmanager
def sent_to_all(client: Client, value: Shared) -> Iterator[Sent[Shared]]:
    """Have every worker hold this for as long as the context lasts, those too that join or are started anew meanwhile.

    Raises
    ------
    ClusterError
        If a worker died before it had it, or can make nothing of it.
    """
    from distributed import WorkerPlugin

    # Not of the module, which would have every command import Dask, and with nothing of ours until its setup, whose
    # failures Dask tells: a worker that cannot even read it is lost.
    class Keeper(WorkerPlugin):
        def __init__(self, data: bytes) -> None:
            self.data = data

        def setup(self, worker: object) -> None:
            from core.parallel import settle_among_others

            settle_among_others()
            self.value = pickle.loads(self.data)
            del self.data

    sent = Sent[Shared](f"{_SENT} {client.id} {uuid4().hex}")
    try:
        client.run_on_scheduler(_forget_lost)
        client.register_plugin(Keeper(pickle.dumps(value)), name=sent.name)
    except OSError as error:
        raise ClusterError("A worker died before the work began; run the command again.") from error
    except (ImportError, AttributeError) as error:
        raise ClusterError(f"The workers have another version of the program ({error}); {_START_ANEW}") from error
    try:
        yield sent
    finally:
        # A worker that dies in this moment has nothing left to forget.
        with suppress(OSError):
            client.unregister_worker_plugin(sent.name)


async def _forget_lost(dask_scheduler: Any) -> None:
    """In a scheduler that outlives its clients: drop what those sent that were killed before they could."""
    for name in list(dask_scheduler.worker_plugins):
        kind, _, rest = name.partition(" ")
        if kind == _SENT and rest.partition(" ")[0] not in dask_scheduler.clients:
            await dask_scheduler.unregister_worker_plugin(None, name)


def in_workers(
    client: Client, function: Callable[[Block], Result], blocks: Iterable[Block]
) -> Iterator[tuple[Block, Result]]:
    """``function`` of each block by some worker, as soon as it is there, in no order.

    Raises
    ------
    ClusterError
        If a block's workers died one after another, or none is left.
    """
    from distributed import as_completed
    from distributed.scheduler import KilledWorker, NoValidWorkerError, NoWorkerError

    blocks = iter(blocks)
    waiting: dict[Any, Block] = {}
    done = as_completed()

    def submit() -> None:
        """As many blocks as the workers of this moment have room for; one at least, while all are started anew."""
        workers = client.scheduler_info()["workers"].values()
        room = max(1, sum(worker["nthreads"] + AHEAD for worker in workers)) - len(waiting)
        for block in islice(blocks, max(0, room)):
            future = client.submit(function, block, pure=False)
            waiting[future.key] = block
            done.add(future)

    submit()
    while waiting:
        future = next(done)
        try:
            result = future.result()
        except KilledWorker as error:
            raise ClusterError(
                f"{DEATHS} workers died over the same files, perhaps for want of memory; what is finished is kept. Run "
                "again with fewer workers."
            ) from error
        except (NoValidWorkerError, NoWorkerError) as error:
            raise ClusterError("No worker is left; what is finished is kept. Start workers and run again.") from error
        block = waiting.pop(future.key)
        submit()
        yield block, result


def everywhere(client: Client, function: Callable[..., Result], *arguments: Any) -> dict[str, Result]:
    """``function`` once in every worker, by the worker's address."""
    return client.run(function, *arguments)
