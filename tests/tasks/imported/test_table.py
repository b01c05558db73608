"""Results from a CSV: what its cells may be, and lines that are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlesearch.tasks.imported.recheck import rechecked
from mlesearch.tasks.imported.results import SourceHints
from mlesearch.tasks.imported.table import read_table
from mlesearch.types import ConfigError

SPOOKY = "spooky-author-identification"
HEAD = "model,strategy,task,seed,score,medal"


def table(folder: Path, *lines: str, head: str = HEAD, encoding: str = "utf-8") -> Path:
    path = folder / "published.csv"
    path.write_text("\n".join([head, *lines, ""]), encoding=encoding)
    return path


def test_a_row_is_a_run(tmp_path: Path) -> None:
    lines = [f"gpt-5,aide,{SPOOKY},0,0.16,gold", f"gpt-5, aide ,{SPOOKY},1,,", f"o3,aide,{SPOOKY},0,9.5,"]
    first, second, third = read_table(table(tmp_path, *lines, encoding="utf-8-sig"), SourceHints())
    assert (first.of, first.task, first.seed, first.score, first.medal) == (("gpt-5", "aide"), SPOOKY, 0, 0.16, "gold")
    assert (first.valid, first.submitted) == (True, True)
    assert (second.medal, second.valid, second.submitted, second.above_median) == ("none", False, False, False)
    assert (third.medal, third.valid) == (None, True)
    (_, _, filled), mismatches = rechecked([first, second, third])
    assert (filled.medal, filled.above_median) == ("none", False)
    assert mismatches == []


def test_a_medal_is_held_against_its_score(tmp_path: Path) -> None:
    path = table(tmp_path, f"m,s,{SPOOKY},0,9.5,gold", "m,s,my-own,0,9.5,gold")
    (found, own), mismatches = rechecked(read_table(path, SourceHints()))
    assert (found.medal, own.medal) == ("gold", "gold"), "what the source says stays"
    (line,) = mismatches
    assert f"{SPOOKY}, seed 0: score 9.5 wins no medal (not above the median) by the table of thresholds" in line
    assert "the source says gold" in line


def test_columns_that_are_not_there_come_from_the_hints(tmp_path: Path) -> None:
    path = table(tmp_path, f"{SPOOKY},0,silver", head="task,seed,medal")
    (found,) = read_table(path, SourceHints())
    assert (found.of, found.valid) == (("not recorded", "published"), True)
    (found,) = read_table(path, SourceHints("m", "s"))
    assert found.of == ("m", "s")


@pytest.mark.parametrize(
    ("head", "line", "said"),
    [
        ("task,score", "t,1", "no column seed"),
        ("task,seed", "t,1", "no column score or medal"),
        ("task,seed,scor,medal", "t,1,1,", "unknown column 'scor' (did you mean 'score'?)"),
        ("task,seed,score,score", "t,1,1,1", "a column stands there twice"),
        ("task,seed,score", "t,1", "line 2: 3 cells are expected"),
        ("task,seed,score", "t,1,2,3", "line 2: 3 cells are expected"),
        ("task,seed,score", "t,-1,2", "seed is '-1'; a whole number from 0"),
        ("task,seed,score", "t,one,2", "seed is 'one'"),
        ("task,seed,score", "t,1,good", "score is 'good'; a number is expected"),
        ("task,seed,medal", "t,1,platinum", "medal is 'platinum'; allowed: gold, silver, bronze, none"),
        ("task,seed,medal,valid", "t,1,gold,no", "a gold medal for a submission that is not valid"),
        ("task,seed,medal,valid", "t,1,none,perhaps", "valid is 'perhaps'"),
        ("task,seed,score", ",1,2", "task is empty"),
        ("task,seed,score", "t,1,1\nt,1,2", "line 3: the run of line 2 again (t, seed 1)"),
        ("task,seed,score", "", "no row below the header"),
    ],
)
def test_what_a_table_must_not_have(tmp_path: Path, head: str, line: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_table(table(tmp_path, line, head=head), SourceHints())
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("task,seed,score\nä,1,2\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="no UTF-8 text"):
        read_table(path, SourceHints())
