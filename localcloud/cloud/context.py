"""The cloud that a server process serves: what every room is given when it is installed.

One rule says how a room talks to the services of its own cloud. In process it reads what any service holds, changes
its own service, calls functions that other rooms offer, and writes what AWS writes by itself: log lines, values of
metrics, events. Everything else that it changes in another service goes over HTTP, through `Cloud.client`, so that the
request is checked, waits for the other requests to that service, and passes through the additions of its room.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from localcloud.cloud.account import ACCOUNT, REGION, connect, environment, secret_access_key
from localcloud.cloud.remains import DATA
from localcloud.cloud.settings import Settings

log = logging.getLogger("localcloud")
DEFAULTS = Settings()
#: Services that change each other directly in moto share a lock: two locks would be taken in two orders.
TOGETHER = dict.fromkeys(("autoscaling", "batch", "ec2", "ecs", "elb", "elbv2"), "compute")
P = ParamSpec("P")
T = TypeVar("T")


class Cloud:
    """One cloud, from inside its server.

    Args:
        folder: Its folder, which holds the mailbox, the certificates and, in ``data``, all that ends with the cloud.
        endpoint: The server's URL, ``http://localhost:PORT``.
        settings: What the person who started it chose.

    Attributes:
        account: The id of its account.
        region: Its region.
    """

    def __init__(self, folder: Path, endpoint: str, settings: Settings = DEFAULTS) -> None:
        self.folder = folder
        self.endpoint = endpoint
        self.settings = settings
        self.account = ACCOUNT
        self.region = REGION
        self._states: WeakKeyDictionary[Any, dict[type, Any]] = WeakKeyDictionary()
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        self._kept: list[object] = []
        self._lock = threading.Lock()
        self._never = threading.Event()
        self._due: list[tuple[float, int, Callable[[], None]]] = []  # a heap: when, in which order, what
        self._due_changed = threading.Condition()
        self._numbers = itertools.count()
        self._waits_for_due = False
        self._pool = ThreadPoolExecutor(32, thread_name_prefix="localcloud")

    def client(self, service: str) -> Any:
        """Return a boto3 client of this cloud, for what a room changes in another service."""
        return connect(service, self.endpoint, self.folder)

    def environment(self) -> dict[str, str]:
        """Return the variables that a process needs to use this cloud with any AWS SDK."""
        return environment(self.endpoint, self.folder)

    @cached_property
    def secret_access_key(self) -> str:
        """The secret key with which the cloud's clients sign their requests."""
        return secret_access_key(self.folder)

    def new_folder(self, kind: str) -> Path:
        """Make a folder for what a resource holds; it is removed with the cloud at the latest.

        Args:
            kind: What the resource is, with which the folder's name begins. It must not be the name of a resource,
                which may be a path.
        """
        return Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=self.folder / DATA))

    def state(self, kind: type[T], resource: object = None) -> T:
        """Return what we keep about a resource of moto's, or about the cloud, made with its defaults the first time.

        It lasts as long as the resource. It must not refer to the resource, which would then last for ever.
        Only what moto itself answers with stays an attribute of its object.

        Args:
            kind: The class of the state, a dataclass whose fields all have defaults.
            resource: moto's object; the cloud itself if there is none.
        """
        with self._lock:
            states = self._states.setdefault(self if resource is None else resource, {})
            if kind not in states:
                states[kind] = kind()
            state: T = states[kind]
            return state

    def set_state(self, resource: object, state: object) -> None:
        """Replace the state of this class that we keep about a resource."""
        with self._lock:
            self._states.setdefault(resource, {})[type(state)] = state

    def lock(self, service: str) -> AbstractContextManager[bool]:
        """Return the lock of a service: a context in which no other request and no other thread changes it.

        Args:
            service: moto's name of the service.
        """
        with self._lock:
            return self._locks[TOGETHER.get(service, service)]

    def keep(self, item: object) -> None:
        """Keep an object for as long as the cloud: moto finds classes of models only while somebody refers to them."""
        self._kept.append(item)

    def background(self, work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run ``work`` on a pool of threads; an exception is logged, never lost."""
        self._pool.submit(lambda: _guarded(work, *args, **kwargs))

    def later(self, seconds: float, work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run ``work`` on the pool after some seconds; until then it takes no thread."""
        with self._due_changed:
            start: Callable[[], None] = partial(self.background, work, *args, **kwargs)
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), start))
            if not self._waits_for_due:
                self._waits_for_due = True
                threading.Thread(target=self._start_due, daemon=True, name="later").start()
            self._due_changed.notify()

    def _start_due(self) -> None:
        while True:
            with self._due_changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._due_changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                start = heapq.heappop(self._due)[2]
            start()

    def every(self, seconds: float, work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run ``work`` for ever, ``seconds`` after its last end, in a thread of its own."""

        def loop() -> None:
            while not self._never.wait(seconds):
                _guarded(work, *args, **kwargs)

        threading.Thread(target=loop, daemon=True, name=work.__name__).start()


def _guarded(work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    try:
        work(*args, **kwargs)
    except Exception:
        log.exception("%s failed", getattr(work, "__name__", work))
