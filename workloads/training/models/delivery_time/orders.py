"""The data set of the delivery times, with a row for each order.

Categories are encoded one-hot, missing as one of them, instead of by label codes: no weather is twice another.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from contract.errors import InputError
from workloads.delimited import SUFFIXES
from workloads.training.tabular.table import Column, amount, read_table, word

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from workloads.storage import Location

FILE = "Food_Delivery_Times.csv"
ORDER, TARGET = "Order_ID", "Delivery_Time_min"
NUMBERS = ("Distance_km", "Preparation_Time_min", "Courier_Experience_yrs")
CATEGORIES = ("Weather", "Traffic_Level", "Time_of_Day", "Vehicle_Type")
FEATURES = (*NUMBERS, *CATEGORIES)
_SHOWN = 5  # names in a message
_ABSENT = "missing"  # the category of empty cells

_FEATURE_COLUMNS = (*(Column(name, amount) for name in NUMBERS), *(Column(name, word) for name in CATEGORIES))


def load_deliveries(data: Location) -> pd.DataFrame:
    """Read the orders to learn from: `FEATURES`, of which single cells may be missing, and `TARGET` in minutes.

    Args:
        data: The CSV file, or a folder with `Food_Delivery_Times.csv` or with one CSV file of another name.

    Raises:
        InputError: There is no such file, a row of it cannot be used, or a column is empty.
    """
    file = _file(data)
    table = read_table(file, (*_FEATURE_COLUMNS, Column(TARGET, amount, filled=True)))
    if empty := [name for name in FEATURES if table[name].isna().all()]:
        raise InputError(f"{file}: The column {', '.join(map(repr, empty))} has no value in any row to learn from.")
    return table


def load_orders(data: Location) -> pd.DataFrame:
    """Orders to predict: `Order_ID` and `FEATURES`; the target may be there, and is not read.

    Raises:
        InputError: As for `load_deliveries`.
    """
    return read_table(_file(data), (Column(ORDER, word, required=False), *_FEATURE_COLUMNS))


def known_categories(pipeline: Pipeline) -> dict[str, list[str]]:
    """Return the categories of each column that a fitted `preprocessing` has seen."""
    encoded = pipeline[0].named_transformers_["encoded"].named_transformers_["categories"][-1]
    return {
        name: [category for category in categories if category != _ABSENT]
        for name, categories in zip(CATEGORIES, encoded.categories_, strict=True)
    }


def encoder() -> ColumnTransformer:
    """Encodes the columns of a table; missing numbers become the median and say so in a column of their own."""
    return ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median", add_indicator=True), list(NUMBERS)),
            ("categories", _one_hot(), list(CATEGORIES)),
        ],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")


def preprocessing() -> Pipeline:
    """Return the pipeline from raw rows to the features of the network, float64 with mean 0 and deviation 1."""
    distance_and_traffic = ColumnTransformer(
        [("distance", SimpleImputer(strategy="median"), ["Distance_km"]), ("traffic", _one_hot(), ["Traffic_Level"])]
    )
    by_traffic = make_pipeline(distance_and_traffic, FunctionTransformer(_times_first))
    features = ColumnTransformer([("encoded", encoder(), list(FEATURES)), ("by_traffic", by_traffic, list(FEATURES))])
    return make_pipeline(features, StandardScaler())


def _one_hot() -> Pipeline:
    # Categories that were not there in training are none of the known ones.
    return make_pipeline(
        SimpleImputer(strategy="constant", fill_value=_ABSENT, missing_values=None),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )


def _times_first(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    return columns[:, 1:] * columns[:, :1]


def sample_delivery(rows: int = 400, seed: int = 0) -> dict[str, bytes]:
    """Return a generated stand-in of the same columns: no order in it ever happened.

    Minutes are those of the preparation, plus 2 to 4 a kilometre, plus some for weather and traffic, less some for an
    experienced courier; one order in forty goes wrong and takes half an hour to an hour longer. One cell in thirty of
    four columns is empty.
    """
    generator = np.random.default_rng(seed)
    weather, weather_minutes = ["Clear", "Rainy", "Foggy", "Windy", "Snowy"], [0, 5, 6, 2, 10]
    traffic, traffic_minutes = ["Low", "Medium", "High"], [0, 5, 10]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([ORDER, "Distance_km", *CATEGORIES, "Preparation_Time_min", "Courier_Experience_yrs", TARGET])
    for order in generator.permutation(rows) + 1:
        distance, preparation = generator.uniform(0.5, 20), int(generator.integers(5, 30))
        sky, road = generator.choice(5, p=[0.48, 0.2, 0.12, 0.1, 0.1]), generator.choice(3, p=[0.4, 0.4, 0.2])
        experience = int(generator.integers(0, 10))
        minutes = preparation + distance * generator.uniform(2, 4) + weather_minutes[sky] + traffic_minutes[road]
        minutes += 5 - 0.5 * experience + generator.uniform(30, 60) * (generator.random() < 1 / 40)
        hour = generator.choice(["Morning", "Afternoon", "Evening", "Night"], p=[0.3, 0.3, 0.3, 0.1])
        vehicle = generator.choice(["Bike", "Scooter", "Car"], p=[0.5, 0.3, 0.2])
        sometimes = [weather[sky], traffic[road], hour, f"{experience}.0"]
        sky_cell, road_cell, hour_cell, experience_cell = np.where(generator.random(4) < 1 / 30, "", sometimes)
        cells = [f"{distance:.2f}", sky_cell, road_cell, hour_cell, vehicle, preparation, experience_cell]
        writer.writerow([order, *cells, round(minutes)])
    return {FILE: text.getvalue().encode()}


def _file(data: Location) -> Location:
    if data.is_file():
        return data
    if (data / FILE).is_file():
        return data / FILE
    names = list(data.names())
    tables = [name for name in names if name.lower().endswith(SUFFIXES)]
    if len(tables) != 1:
        listed = ", ".join((tables or names)[:_SHOWN])
        inventory = f"There are {len(tables)} CSV files: {listed}" if tables else "There is no CSV file"
        only = f", only {listed}" if listed and not tables else ""
        raise InputError(f"{data}: {inventory}{only}. Give one CSV file, or a folder with {FILE}.")
    return data / tables[0]
