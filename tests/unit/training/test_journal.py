"""A search's journal in S3: several writers, no entry lost, one order for all."""

from concurrent.futures import ThreadPoolExecutor

import boto3
import optuna
import pytest
from optuna.storages import JournalStorage

from workloads.training.runtime.journal import BucketJournal
from workloads.training.runtime.storage import Bucket


@pytest.fixture
def place(aws: None) -> Bucket:
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
