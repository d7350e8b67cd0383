"""The tables of the players: cells as the files write them, careers, nflverse, and what is not looked at."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import InputError
from workloads.storage import Folder
from workloads.training.models.player_position.model import labelled_rows
from workloads.training.models.player_position.players import (
    CLASSES,
    FACTS_FILE,
    RECEIVING,
    RECEIVING_FILE,
    RUSHING_FILE,
    examples,
    inches,
    load_players,
    statistic,
)
from workloads.training.models.player_position.sample import sample_nfl
from workloads.training.models.player_position.settings import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in sample_nfl(60).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def edit(file: Path, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Write a file again with each of its rows changed."""
    rows = [change(row) for row in csv.DictReader(io.StringIO(file.read_text()))]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    file.write_text(text.getvalue())


@given(st.integers(-99, 99_999))
def test_statistics_may_carry_a_touchdown_and_thousands(value: int) -> None:
    assert statistic(f"{value}T") == statistic(f"{value:,}") == statistic(str(value)) == value
    assert math.isnan(statistic("--"))


@pytest.mark.parametrize("cell", ["T", "5TT", "5 T", "T5", "5X"])
def test_what_is_no_statistic_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        statistic(cell)


@pytest.mark.parametrize(("cell", "height"), [("77", 77), ("6-5", 77), ("5-11", 71)])
def test_heights_are_inches_or_feet_and_inches(cell: str, height: float) -> None:
    assert inches(cell) == height


def test_the_sample_has_all_positions_cells_and_missing_labels_of_the_real_files(folder: Path) -> None:
    players = load_players(Folder(folder))
    text = (folder / RECEIVING_FILE).read_text() + (folder / RUSHING_FILE).read_text()
    assert set(players.receiving["position"].dropna()) == set(CLASSES)
    assert 0.2 < players.labelled.mean() < 0.6
    assert "--" in text
    assert "T," in text
    assert '"1,' in text


def test_a_career_is_the_sum_of_all_seasons_of_the_player(folder: Path) -> None:
    players = load_players(Folder(folder))
    features = examples(players, "rushing", "career")
    assert len(features) == len(players.receiving)
    player = players.receiving["player"].iloc[0]
    own = (players.receiving["player"] == player).to_numpy()
    assert (features["receptions"][own] == players.receiving["receptions"][own].sum()).all()
    assert (features["carries"][own] == players.rushing.query("player == @player")["carries"].sum()).all()
    assert (features["seasons"][own] == own.sum()).all()


def test_a_season_is_its_own_row_alone(folder: Path) -> None:
    players = load_players(Folder(folder))
    features = examples(players, "rushing", "season")
    assert features["receptions"].tolist() == players.receiving["receptions"].tolist()
    assert (features["seasons"] == 1).all()


def test_receiving_features_know_nothing_of_rushing_and_body(folder: Path) -> None:
    before = examples(load_players(Folder(folder)), "receiving", "career")
    edit(folder / RUSHING_FILE, lambda row: row | {"Rushing Attempts": "9"})
    edit(folder / FACTS_FILE, lambda row: row | {"Weight (lbs)": "1"})
    pd.testing.assert_frame_equal(examples(load_players(Folder(folder)), "receiving", "career"), before)


@pytest.mark.parametrize("level", ["season", "career"])
def test_positions_in_any_file_are_never_a_feature(folder: Path, level: str) -> None:
    before = examples(load_players(Folder(folder)), "all", level)  # type: ignore[arg-type]
    for name in (RECEIVING_FILE, RUSHING_FILE, FACTS_FILE):
        edit(folder / name, lambda row: row | {"Position": "QB", "Name": "x", "Year": row.get("Year", "")})
    after = examples(load_players(Folder(folder)), "all", level)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(after, before)


def test_a_player_who_is_in_receiving_alone_has_not_rushed(folder: Path) -> None:
    edit(
        folder / RUSHING_FILE,
        lambda row: row | {"Player Id": "someone else", "Team": f"{row['Player Id']}{row['Team']}"},
    )
    features = examples(load_players(Folder(folder)), "all", "career")
    assert (features["carries"] == 0).all()
    assert features["longest_run"].isna().all()
    assert features["weight"].notna().any()


def test_tables_of_nflverse_give_the_same_features(folder: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "nflverse"
    theirs.mkdir()
    ours = load_players(Folder(folder))
    seasons = ours.receiving.merge(ours.rushing.drop(columns="line"), on=["player", "year", "team"], how="left")
    names = {"player": "player_id", "year": "season"}
    seasons.rename(columns=names).drop(columns=["line", "longest_reception"]).to_csv(theirs / "stats.csv", index=False)
    ours.facts.rename(columns=names).drop(columns="line").to_csv(theirs / "players.csv", index=False)
    features, expected = (examples(load_players(Folder(path)), "all", "career") for path in (theirs, folder))
    shared = [
        "receptions",
        "receiving_yards",
        "receiving_first_downs_per_reception",
        "carries",
        "yards_per_carry",
        "weight",
    ]
    np.testing.assert_allclose(features[shared], expected[shared])
    assert features["longest_reception"].isna().all()


def test_of_nflverse_the_regular_season_is_read_also_without_a_team_and_without_facts(tmp_path: Path) -> None:
    header = "player_id,season,season_type,position,receptions,carries"
    rows = ["a,2010,REG,WR,50,1", "a,2010,POST,WR,5,0", "a,2010,REG+POST,WR,55,1", "b,2011,REG,RB,20,99"]
    (tmp_path / "stats.csv").write_text("\n".join([header, *rows]))
    for level in ("season", "career"):
        features = examples(load_players(Folder(tmp_path)), "all", level)
        assert features["receptions"].tolist() == [50, 20]
        assert features["carries"].tolist() == [1, 99]
        assert features["weight"].isna().all()


WEEKS = "player_id,season,week,season_type,recent_team,position,receptions,carries"


def test_rows_of_weeks_are_added_up_to_seasons(tmp_path: Path) -> None:
    rows = ["a,2022,1,REG,KC,wr,5,0", "a,2022,2,REG,KC,wr,4,1", "b,2022,1,REG,SF,RB,1,20", "a,2022,19,POST,KC,wr,9,9"]
    (tmp_path / "weeks.csv").write_text("\n".join([WEEKS, *rows, rows[0]]))  # a row that is there twice counts once
    (tmp_path / "schedule.csv").write_text("game_id,week\n1,1\n")
    players = load_players(Folder(tmp_path))
    assert players.receiving[["player", "position", "receptions", "games"]].to_numpy().tolist() == [
        ["a", "WR", 9.0, 2.0],
        ["b", "RB", 1.0, 1.0],
    ]
    assert players.rushing["carries"].tolist() == [1.0, 20.0]
    assert players.notes == (
        "1 of 5 rows are not of the regular season, and are left out.",
        "4 rows of weeks were added up to 2 seasons.",
        "1 files have neither seasons nor heights, and were not read: schedule.csv.",
    )


def test_two_rows_of_one_week_that_differ_are_refused(tmp_path: Path) -> None:
    rows = ["a,2022,1,REG,KC,WR,5,0", "a,2022,1,REG,KC,WR,6,0"]
    (tmp_path / "weeks.csv").write_text("\n".join([WEEKS, *rows]))
    with pytest.raises(InputError, match=r"weeks\.csv, line 3: The row for player a, .*, week 1 is in line 2 already"):
        load_players(Folder(tmp_path))


def test_a_height_of_nothing_is_not_known(folder: Path) -> None:
    edit(folder / FACTS_FILE, lambda row: row | {"Height (inches)": "0"})
    features = examples(load_players(Folder(folder)), "all", "career")
    assert features["height"].isna().all()
    assert features["weight_by_height"].isna().all()


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        (
            RECEIVING_FILE,
            {"Receptions": "many"},
            r"Receiving\.csv, line 2, column 'Receptions': 'many' is not a number",
        ),
        (RUSHING_FILE, {"Player Id": ""}, r"Rushing\.csv, line 2, column 'Player Id': The cell is empty"),
        (FACTS_FILE, {"Height (inches)": "tall"}, r"Basic_Stats\.csv, line 2, column 'Height \(inches\)'"),
        (FACTS_FILE, {"Player Id": "one"}, r"Basic_Stats\.csv, line 3: The row for player one is in line 2 already"),
    ],
)
def test_a_bad_cell_is_named_with_file_line_and_column(
    folder: Path, name: str, change: dict[str, str], complaint: str
) -> None:
    edit(folder / name, lambda row: row | change)
    with pytest.raises(InputError, match=complaint):
        load_players(Folder(folder))


def test_a_season_that_is_there_twice_is_refused(folder: Path) -> None:
    edit(folder / RECEIVING_FILE, lambda row: row | {"Player Id": "one", "Year": "2010", "Team": "T"})
    with pytest.raises(InputError, match=r"line 3: The row for player one, year 2010, team T is in line 2 already"):
        load_players(Folder(folder))


def test_rows_of_empty_numbers_are_not_learned_from(tmp_path: Path) -> None:
    for name, content in sample_nfl(150).items():
        (tmp_path / name).write_bytes(content)
    settings = Settings(features="receiving", level="season", rows="all")
    assert len(labelled_rows(settings, load_players(Folder(tmp_path))).labels)
    edit(tmp_path / RECEIVING_FILE, lambda row: row | dict.fromkeys(RECEIVING, "--"))
    with pytest.raises(InputError, match="rows have the same numbers, so nothing tells positions apart"):
        labelled_rows(settings, load_players(Folder(tmp_path)))


def test_a_folder_of_other_files_is_told_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"There is other\.csv\. The folder must have Career_Stats_Receiving\.csv, "):
        load_players(Folder(tmp_path))
    with pytest.raises(InputError, match="There is no CSV file"):
        load_players(Folder(tmp_path / "nowhere"))
