"""The data set of the delivery times: columns, missing cells, unknown categories, generated sample."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from contract.errors import InputError
from workloads.storage import Folder
from workloads.training.models.delivery_time.orders import (
    FEATURES,
    FILE,
    TARGET,
    encoder,
    load_deliveries,
    load_orders,
    preprocessing,
    sample_delivery,
)

HEADER = (
    "Order_ID,Distance_km,Weather,Traffic_Level,Time_of_Day,Vehicle_Type,"
    "Preparation_Time_min,Courier_Experience_yrs,Delivery_Time_min\n"
)


@pytest.fixture
def sample(tmp_path: Path) -> Folder:
    for name, content in sample_delivery(80).items():
        (tmp_path / name).write_bytes(content)
    return Folder(tmp_path)


def test_the_sample_is_like_the_real_columns_with_missing_cells_and_always_the_same(sample: Folder) -> None:
    table = load_deliveries(sample)
    assert (sample / FILE).read().decode().startswith(HEADER)
    assert len(table) == 80
    assert table[list(FEATURES)].isna().any(axis=None)
    assert sample_delivery(80) == sample_delivery(80)
    assert np.corrcoef(table["Distance_km"], table[TARGET])[0, 1] > 0.5


def test_one_csv_file_of_any_name_in_a_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_bytes(sample_delivery(30)[FILE])
    assert len(load_deliveries(Folder(tmp_path))) == 30
    (tmp_path / "more.csv").write_bytes(b"")
    with pytest.raises(InputError, match=r"There are 2 CSV files: more\.csv, orders\.csv\. Give one CSV file"):
        load_deliveries(Folder(tmp_path))


def test_a_compressed_file_in_a_folder_is_read_and_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "orders.xlsx").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"There is no CSV file, only orders\.xlsx\. Give one CSV file"):
        load_deliveries(Folder(tmp_path))
    (tmp_path / "orders.csv.gz").write_bytes(gzip.compress(sample_delivery(30)[FILE]))
    assert len(load_deliveries(Folder(tmp_path))) == 30


def test_to_learn_every_order_needs_its_minutes_and_to_predict_none_does(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(HEADER + "7,3.5,Clear,Low,Night,Bike,10,2.0,\n")
    with pytest.raises(InputError, match=r"line 2, column 'Delivery_Time_min': The cell is empty"):
        load_deliveries(Folder(file))
    orders = load_orders(Folder(file))
    assert orders["Order_ID"].tolist() == ["7"]
    assert TARGET not in orders


def test_features_are_finite_for_missing_cells_and_categories_never_seen(sample: Folder, tmp_path: Path) -> None:
    fitted = preprocessing().fit(load_deliveries(sample)[list(FEATURES)])
    odd = tmp_path / "odd.csv"
    odd.write_text(HEADER + "1,,,,,,,,\n2,3.5,Hail,Jammed,Dawn,Boat,10,2.0,\n")
    features = fitted.transform(load_orders(Folder(odd))[list(FEATURES)])
    assert features.shape[0] == 2
    assert np.isfinite(features).all()


def test_a_missing_category_is_a_category_and_a_missing_number_is_marked(sample: Folder) -> None:
    table = load_deliveries(sample)
    encoded = encoder().fit_transform(table[list(FEATURES)])
    assert (encoded["Weather_missing"] == table["Weather"].isna()).all()
    marked = encoded["missingindicator_Courier_Experience_yrs"]
    assert (marked == table["Courier_Experience_yrs"].isna()).all()


def test_a_column_without_any_value_is_refused(tmp_path: Path) -> None:
    header, *rows = sample_delivery(rows=30)[FILE].decode().splitlines()
    place = header.split(",").index("Weather")
    emptied = [",".join("" if column == place else cell for column, cell in enumerate(row.split(","))) for row in rows]
    (tmp_path / FILE).write_text("\n".join([header, *emptied]))
    with pytest.raises(InputError, match="The column 'Weather' has no value in any row"):
        load_deliveries(Folder(tmp_path))
