"""The file of scenarios: what is wrong in it is said at start, by table and key."""

from pathlib import Path

import pytest

from service.errors import SetupInvalid
from service.settings.pipeline import PipelineSettings
from service.settings.scenarios import load_scenarios


def load(tmp_path: Path, text: str) -> dict[str, PipelineSettings]:
    path = tmp_path / "scenarios.toml"
    path.write_text(text)
    return dict(load_scenarios(PipelineSettings(scenarios=path, overfetch=5.0)))


def test_a_scenario_changes_what_it_names_and_keeps_the_rest(tmp_path: Path) -> None:
    found = load(tmp_path, "[home]\nexplore_share = 0.1\n\n[cart]\nseller_top10 = 1\n")
    assert found["home"].explore_share == 0.1
    assert found["home"].overfetch == found["cart"].overfetch == 5.0
    assert found["cart"].seller_top10 == 1


def test_no_file_declares_nothing() -> None:
    assert load_scenarios(PipelineSettings()) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[home]\nexplore_shar = 0.1", "[home] explore_shar: no such setting; did you mean exp"),
        ("[home]\nexplore_share = 0.9", "[home] explore_share"),
        ("[home]\npower_from = 3", "power_from must be above sparse_below"),
        ("[home]\nscenarios = 'x'", "[home] scenarios: no such setting"),
        ("[default]\nk = 1", "[default] is set by"),
        ("home = 1", "home belongs into a table"),
        ("[home", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SetupInvalid) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupInvalid, match=r"gone\.toml"):
        load_scenarios(PipelineSettings(scenarios=tmp_path / "gone.toml"))


def test_the_example_is_right() -> None:
    path = Path(__file__).parents[2] / "deploy" / "scenarios.toml"
    assert set(load_scenarios(PipelineSettings(scenarios=path))) == {"home", "cart"}
