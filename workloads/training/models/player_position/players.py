"""The data set of the players: seasons of receiving and rushing, height and weight; a position for some.

What is read, and what is not: a player's position in another file is the label itself, and a jersey number is given
out by position (the league's rules tie one to the other), so neither is a feature. Names, teams, years, colleges and
the like say nothing of how somebody plays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from contract.errors import InputError
from workloads.delimited import SUFFIXES
from workloads.training.tabular.table import LINE, Column, number, read_header, read_table, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workloads.storage import Location

CLASSES = ("WR", "RB", "TE", "QB", "FB")
RECEIVING_FILE, RUSHING_FILE, FACTS_FILE = "Career_Stats_Receiving.csv", "Career_Stats_Rushing.csv", "Basic_Stats.csv"

Features = Literal["receiving", "rushing", "all"]
Level = Literal["season", "career"]


def statistic(text: str) -> float:
    """Return a number; a `T` after it says that the play ended in a touchdown. `--` is NaN.

    Raises:
        ValueError: It is neither.
    """
    text = text.strip()
    return number(text[:-1] if re.fullmatch(r"[-+0-9,.]+T", text) else text)


def inches(text: str) -> float:
    """Return a height in inches, written `77` or `6-5`.

    Raises:
        ValueError: It is neither.
    """
    feet = re.fullmatch(r"\s*([0-9])-([0-9]{1,2})\s*", text)
    return 12.0 * int(feet[1]) + int(feet[2]) if feet else number(text)


#: The numbers of the Kaggle set's two tables of seasons, and what they are called here.
RECEIVING = {
    "Games Played": "games",
    "Receptions": "receptions",
    "Receiving Yards": "receiving_yards",
    "Longest Reception": "longest_reception",
    "Receiving TDs": "receiving_tds",
    "Receptions Longer than 20 Yards": "receptions_20",
    "Receptions Longer than 40 Yards": "receptions_40",
    "First Down Receptions": "receiving_first_downs",
    "Fumbles": "receiving_fumbles",
}
RUSHING = {
    "Games Played": "rushing_games",
    "Rushing Attempts": "carries",
    "Rushing Yards": "rushing_yards",
    "Longest Rushing Run": "longest_run",
    "Rushing TDs": "rushing_tds",
    "Rushing First Downs": "rushing_first_downs",
    "Rushing More Than 20 Yards": "rushes_20",
    "Rushing More Than 40 Yards": "rushes_40",
    "Fumbles": "rushing_fumbles",
}
_SEASON_KEY = ["player", "year", "team"]
_IDENTITY = [
    Column("Player Id", word, "player", filled=True),
    Column("Year", number, "year", filled=True),
    Column("Team", word, "team", required=False),
]
# In nflverse's tables; `games` and the `_fumbles` of rushing may be absent, as may any other.
_NFLVERSE_RECEIVING = ["games", "receptions", "receiving_yards", "receiving_tds", "receiving_first_downs"]
_NFLVERSE_RUSHING = ["carries", "rushing_yards", "rushing_tds", "rushing_first_downs", "rushing_fumbles"]


@dataclass(frozen=True)
class Players:
    """Seasons and facts of players.

    Attributes:
        receiving: A row a player, year and team, in the order of the file: `player`, `year`, `team`, `position` (None
            where it is not known) and numbers.
        rushing: The same without position, for those who are in it.
        facts: `player`, `height` (inches), `weight` (pounds): a row a player.
        notes: What a person should know of the tables, a sentence each.
    """

    receiving: pd.DataFrame
    rushing: pd.DataFrame
    facts: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def labelled(self) -> pd.Series:
        """Which rows of `receiving` have one of the five positions."""
        return self.receiving["position"].isin(CLASSES)


def load_players(data: Location) -> Players:
    """Return the tables of a folder: the three files of the Kaggle set, or tables with the columns of nflverse.

    Of nflverse, any CSV file with `player_id` and `season` has seasons (receiving and rushing), and any with `height`
    and `weight` and `player_id` or `gsis_id` has facts; one file may be both. Where there is a `season_type`, the
    regular season is read. Rows of weeks are added up to seasons.

    Raises:
        InputError: Files are missing, or a row of one cannot be used.
    """
    if (data / RECEIVING_FILE).is_file():
        return _load_three_files(data)
    return _load_nflverse(data)


def _load_three_files(data: Location) -> Players:
    position = Column("Position", word, "position", required=False)
    receiving, _ = _read_seasons(data / RECEIVING_FILE, [*_IDENTITY, position, *_numbers(RECEIVING)])
    rushing, _ = _read_seasons(data / RUSHING_FILE, [*_IDENTITY, *_numbers(RUSHING)])
    facts = read_table(
        data / FACTS_FILE,
        [
            Column("Player Id", word, "player", filled=True),
            Column("Height (inches)", inches, "height"),
            Column("Weight (lbs)", number, "weight"),
        ],
    )
    _refuse_repeated(data / FACTS_FILE, facts, ["player"])
    return Players(_none_is_zero(receiving, RECEIVING.values()), _none_is_zero(rushing, RUSHING.values()), facts)


def _load_nflverse(data: Location) -> Players:
    headers = {name: read_header(data / name) for name in data.names() if name.lower().endswith(SUFFIXES)}
    seasons = [name for name, header in headers.items() if {"player_id", "season"} <= set(header)]
    facts = [
        name
        for name, header in headers.items()
        if {"height", "weight"} <= set(header) and {"player_id", "gsis_id"} & set(header)
    ]
    if len(seasons) != 1:
        raise InputError(
            f"{data}: There is {', '.join(headers) or 'no CSV file'}. The folder must have {RECEIVING_FILE}, "
            f"{RUSHING_FILE} and {FACTS_FILE}, or one CSV file with the columns player_id and season (nflverse)."
        )
    header = headers[seasons[0]]
    team = next((name for name in ("team", "recent_team") if name in header), "team")
    identity = [
        Column("player_id", word, "player", filled=True),
        Column("season", number, "year", filled=True),
        Column(team, word, "team", required=False),
    ]
    position = Column("position", word, "position", required=False)
    season_type = Column("season_type", word, required=False)
    statistics = [Column(name, statistic) for name in [*_NFLVERSE_RECEIVING, *_NFLVERSE_RUSHING] if name in header]
    weeks = [Column("week", number, filled=True)] if "week" in header else []
    table, notes = _read_seasons(data / seasons[0], [*identity, position, season_type, *weeks, *statistics])
    table = _none_is_zero(table, [column.key for column in statistics])
    receiving = table.reindex(columns=[*_SEASON_KEY, "position", *RECEIVING.values(), LINE])
    rushing = table.assign(rushing_games=table.get("games", np.nan))
    rushing = rushing.reindex(columns=[*_SEASON_KEY, *RUSHING.values(), LINE])
    if unread := [name for name in headers if name not in {*seasons, *facts}]:
        notes.append(f"{len(unread)} files have neither seasons nor heights, and were not read: {', '.join(unread)}.")
    tables = [_nflverse_facts(data / name, headers[name]) for name in facts]
    empty = pd.DataFrame(columns=["player", "height", "weight"]).astype({"height": "float64", "weight": "float64"})
    players = pd.concat(tables).drop_duplicates("player") if tables else empty
    return Players(receiving, rushing, players, tuple(notes))


def _nflverse_facts(file: Location, header: Sequence[str]) -> pd.DataFrame:
    player = "player_id" if "player_id" in header else "gsis_id"
    table = read_table(file, [Column(player, word, "player"), Column("height", inches), Column("weight", number)])
    return table.dropna(subset="player").drop(columns=LINE)  # who never played has no id


def _read_seasons(file: Location, columns: Sequence[Column]) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of seasons, and what a person should know of them."""
    table = read_table(file, columns)
    notes = []
    table["team"] = table["team"].fillna("")
    if "position" in table:
        table["position"] = table["position"].str.upper()
    if "season_type" in table and table["season_type"].notna().any():
        regular = table[table["season_type"].str.upper() == "REG"].reset_index(drop=True)
        if regular.empty:
            raise InputError(f"{file}: There is no row whose season_type is REG (regular season).")
        if len(regular) < len(table):
            notes.append(
                f"{len(table) - len(regular):,} of {len(table):,} rows are not of the regular season, and are left out."
            )
        table = regular
    if "week" in table:
        seasons = _added_up(file, table)
        notes.append(f"{len(table):,} rows of weeks were added up to {len(seasons):,} seasons.")
        table = seasons
    _refuse_repeated(file, table, _SEASON_KEY)
    return table, notes


def _added_up(file: Location, table: pd.DataFrame) -> pd.DataFrame:
    """Seasons out of weeks: numbers are added, a week is a game, and the first row gives all the rest.

    A row that is there twice, as in some releases of nflverse, counts once.
    """
    table = table.drop_duplicates(table.columns.difference([LINE]))
    _refuse_repeated(file, table, [*_SEASON_KEY, "week"])
    counts = [name for name in table.select_dtypes("number") if name not in {"year", "week", "games", LINE}]
    grouped = table.groupby(_SEASON_KEY, sort=False)
    first = grouped[[name for name in table if name not in {*_SEASON_KEY, *counts, "week", "games"}]].first()
    seasons = first.join(grouped[counts].sum(min_count=1)).join(grouped["week"].nunique().astype(float).rename("games"))
    return seasons.reset_index()


def _numbers(names: dict[str, str]) -> list[Column]:
    return [Column(name, statistic, rename) for name, rename in names.items()]


def _none_is_zero(table: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """`--` is none: zero catches, but no longest one."""
    counts = [name for name in names if not name.startswith("longest")]
    return table.assign(**{name: table[name].fillna(0.0) for name in counts})


def _refuse_repeated(file: Location, table: pd.DataFrame, key: list[str]) -> None:
    repeated = table[table.duplicated(key)]
    if len(repeated):
        row = repeated.iloc[0]
        first = table[(table[key] == row[key]).all(axis=1)].iloc[0]
        identity = ", ".join(
            f"{name} {row[name]:.0f}" if name in {"year", "week"} else f"{name} {row[name]}" for name in key
        )
        raise InputError(f"{file}, line {row[LINE]}: The row for {identity} is in line {first[LINE]} already.")


def examples(players: Players, features: Features, level: Level) -> pd.DataFrame:
    """Return the features of every row of `players.receiving`, in its order; NaN where something is not known.

    Args:
        players: The tables. Whatever is summed over a career is of the player's own rows in them.
        features: `receiving`: catches; `rushing`: carries too; `all`: height and weight too.
        level: `season`: the numbers of the row; `career`: those of all the player's rows together.
    """
    key = ["player"] if level == "career" else _SEASON_KEY
    totals = _totals(players.receiving, list(RECEIVING.values()), key).rename(columns={"rows": "seasons"})
    if features != "receiving":
        rushing = _totals(players.rushing, list(RUSHING.values()), key).rename(columns={"rows": "rushing_seasons"})
        totals = totals.join(rushing)
        counts = [name for name in rushing if not str(name).startswith("longest")]
        totals.loc[~totals.index.isin(rushing.index), counts] = 0.0  # who is not in that table has not rushed
    rates = _receiving_rates(totals) | ({} if features == "receiving" else _rushing_rates(totals))
    table = pd.concat([totals, pd.DataFrame(rates)], axis=1)
    rows = players.receiving[key].join(table, on=key).drop(columns=key)
    if features == "all":
        body = players.receiving[["player"]].merge(players.facts, on="player", how="left")
        for name in ("height", "weight"):
            rows[name] = body[name].where(body[name] > 0).to_numpy()
        rows["weight_by_height"] = rows["weight"] / rows["height"] ** 2
    return rows.astype("float64")


def _totals(table: pd.DataFrame, names: list[str], key: list[str]) -> pd.DataFrame:
    longest = [name for name in names if name.startswith("longest")]
    counts = [name for name in names if name not in longest]
    grouped = table.groupby(key, dropna=False, sort=False)
    return pd.concat([grouped[counts].sum(min_count=1), grouped[longest].max(), grouped.size().rename("rows")], axis=1)


_SHRINK = 5  # catches or carries of an average player added to each, so that one catch does not make a habit


def _receiving_rates(totals: pd.DataFrame) -> dict[str, pd.Series]:
    games, receptions = totals["games"].clip(lower=1), totals["receptions"]
    per_game = {f"{name}_per_game": totals[name] / games for name in ("receptions", "receiving_yards")}
    per_reception = {
        f"{name}_per_reception": totals[name] / (receptions + _SHRINK)
        for name in ("receiving_tds", "receptions_20", "receptions_40", "receiving_first_downs", "receiving_fumbles")
    }
    yards = {"yards_per_reception": totals["receiving_yards"] / receptions.where(receptions > 0)}
    return per_game | per_reception | yards


def _rushing_rates(totals: pd.DataFrame) -> dict[str, pd.Series]:
    games, carries, receptions = totals["games"].clip(lower=1), totals["carries"], totals["receptions"]
    per_game = {f"{name}_per_game": totals[name] / games for name in ("carries", "rushing_yards")}
    per_carry = {
        f"{name}_per_carry": totals[name] / (carries + _SHRINK)
        for name in ("rushing_tds", "rushes_20", "rushing_first_downs", "rushing_fumbles")
    }
    ratios = {
        "yards_per_carry": totals["rushing_yards"] / carries.where(carries > 0),
        "share_of_carries": (carries + 0.5) / (carries + receptions + 1),
        "share_of_games_in_rushing": totals["rushing_games"] / games,
    }
    return per_game | per_carry | ratios
