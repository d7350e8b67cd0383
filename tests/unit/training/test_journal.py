"""A search's journal in S3: several writers, no entry lost, one order for all."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import optuna
import pytest
from moto.s3.responses import S3Response
from optuna.storages import JournalStorage

from workloads.storage import Bucket
from workloads.training.runtime.journal import BucketJournal


@pytest.fixture
def place(aws: None, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    put, one_by_one = S3Response.put_object, threading.Lock()

    def atomic(response: S3Response) -> Any:
        """As in S3: moto looks whether an object is there, and then writes it, whoever wrote it meanwhile."""
        with one_by_one:
            return put(response)

    monkeypatch.setattr(S3Response, "put_object", atomic)
    boto3.client("s3").create_bucket(Bucket="bucket")
    return Bucket("bucket", "search/study.journal")


def test_entries_of_several_writers_are_kept_in_one_order(place: Bucket) -> None:
    writers = [BucketJournal(place) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: writers[number % 4].append_logs([{"number": number}]), range(20)))
    orders = [[entry["number"] for entry in writer.read_logs(0)] for writer in [*writers, BucketJournal(place)]]
    assert sorted(orders[0]) == list(range(20))
    assert all(order == orders[0] for order in orders)
    assert [entry["number"] for entry in writers[0].read_logs(15)] == orders[0][15:]


def test_a_study_in_s3_is_shared_and_continued(place: Bucket) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for finished in (3, 6):
        storage = JournalStorage(BucketJournal(place))
        study = optuna.create_study(study_name="line", storage=storage, load_if_exists=True)
        study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=3)
        assert [trial.number for trial in study.trials] == list(range(finished))
