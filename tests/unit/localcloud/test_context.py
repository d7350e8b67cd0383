"""A cloud, as its rooms see it."""

from __future__ import annotations

import gc
import threading
import weakref
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.cloud.context import Cloud


class Resource:
    """As one of moto's."""


@dataclass
class Notes:
    lines: list[str] = field(default_factory=list)


@dataclass
class Count:
    number: int = 0


def test_state_belongs_to_a_cloud_a_resource_and_a_class(tmp_path: Path) -> None:
    cloud, another, resource = Cloud(tmp_path, "http://localhost"), Cloud(tmp_path, "http://localhost"), Resource()
    cloud.state(Notes, resource).lines.append("one")
    cloud.state(Count, resource).number = 1
    assert cloud.state(Notes, resource) == Notes(["one"])
    assert cloud.state(Count, resource) == Count(1)
    assert cloud.state(Notes, Resource()) == cloud.state(Notes) == another.state(Notes, resource) == Notes()
    cloud.set_state(resource, Notes(["two"]))
    assert cloud.state(Notes, resource) == Notes(["two"])


def test_state_goes_with_its_resource(tmp_path: Path) -> None:
    cloud, resource = Cloud(tmp_path, "http://localhost"), Resource()
    notes = weakref.ref(cloud.state(Notes, resource))
    assert notes() is not None
    del resource
    gc.collect()
    assert notes() is None


def test_work_beside_requests_goes_on_after_a_failure(tmp_path: Path) -> None:
    cloud, again, end = Cloud(tmp_path, "http://localhost"), threading.Event(), threading.Event()
    steps = iter([lambda: 1 / 0, again.set])

    def work(name: str) -> None:
        assert name == "work"
        next(steps, end.wait)()

    cloud.every(0, work, "work")
    assert again.wait(30)


def test_what_is_to_run_later_runs_in_the_order_of_its_time_and_takes_no_thread_until_then(tmp_path: Path) -> None:
    cloud, ran, done = Cloud(tmp_path, "http://localhost"), list[str](), threading.Event()
    for _ in range(100):  # more than the pool has threads
        cloud.later(600, ran.append, "never")
    cloud.later(0.2, done.set)
    cloud.later(0.1, ran.append, "later")
    cloud.later(0, ran.append, "first")
    cloud.background(ran.append, "at once")
    assert done.wait(30)
    assert sorted(ran) == ["at once", "first", "later"]
    assert ran.index("first") < ran.index("later")


def test_each_cloud_has_its_own_locks_and_services_that_change_each_other_share_one(tmp_path: Path) -> None:
    cloud, another = Cloud(tmp_path, "http://localhost"), Cloud(tmp_path, "http://localhost")
    assert cloud.lock("sqs") is cloud.lock("sqs")
    assert cloud.lock("sqs") is not cloud.lock("sns")
    assert cloud.lock("sqs") is not another.lock("sqs")
    assert cloud.lock("ec2") is cloud.lock("autoscaling")


def test_what_a_cloud_keeps_goes_with_it(tmp_path: Path) -> None:
    cloud, resource = Cloud(tmp_path, "http://localhost"), Resource()
    kept = weakref.ref(resource)
    cloud.keep(resource)
    del resource
    gc.collect()
    assert kept() is not None
    del cloud
    gc.collect()
    assert kept() is None
