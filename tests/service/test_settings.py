"""Settings: defaults that run, bounds that hold, and everything wrong said at once."""

from pathlib import Path

import pytest

from service.__main__ import main
from service.commands.settings import settings_markdown
from service.errors import SetupInvalid
from service.settings.tree import environment_name, keys, load_settings

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)


def test_defaults_need_no_environment() -> None:
    settings = load_settings()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8000)
    assert settings.redis.url is None
    assert settings.sessions.ttl_s == 90 * 86_400


def test_every_setting_has_a_meaning_and_every_number_has_bounds() -> None:
    for part, name, field in keys():
        assert field.description, (part, name)
        if field.annotation in (int, float):
            assert field.metadata, f"{part}.{name} has no bounds"


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_PIPELINE__OVERFETCH", "4.5")
    assert load_settings().pipeline.overfetch == 4.5


def test_platform_names_work_and_ours_win_over_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9001")
    monkeypatch.setenv("REDIS_URL", "redis://db:6379/0")
    settings = load_settings()
    assert (settings.server.port, settings.redis.url) == (9001, "redis://db:6379/0")
    monkeypatch.setenv("SIGHTLINE_SERVER__PORT", "9002")
    assert load_settings().server.port == 9002


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_SERVER__PORT", "9002")
    assert load_settings({"server": {"port": 9003}}).server.port == 9003


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "")
    monkeypatch.setenv("SIGHTLINE_REDIS__URL", "")
    assert load_settings().redis.url is None


def test_everything_wrong_is_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_SERVER__PORT", "eighty")
    monkeypatch.setenv("SIGHTLINE_SERVER__PROT", "80")
    monkeypatch.setenv("SIGHTLINE_SPEED", "fast")
    monkeypatch.setenv("SIGHTLINE_PIPELINE__EXPLORE_SHARE", "0.9")
    monkeypatch.setenv("SIGHTLINE_REDIS__BREAKER_OPEN_S", "31")
    with pytest.raises(SetupInvalid) as error:
        load_settings()
    lines = str(error.value).splitlines()
    assert [line.strip().split(":")[0] for line in lines[1:]] == [
        "SIGHTLINE_SERVER__PROT",
        "SIGHTLINE_SPEED",
        "SIGHTLINE_SERVER__PORT",
        "SIGHTLINE_REDIS",
        "SIGHTLINE_PIPELINE__EXPLORE_SHARE",
    ]
    assert "did you mean SIGHTLINE_SERVER__PORT?" in lines[1]
    assert "'eighty'" in lines[3]


def test_sizes_of_the_impression_log_have_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_IMPRESSIONS__FILE_BYTES", "1000000")
    monkeypatch.setenv("SIGHTLINE_IMPRESSIONS__TOTAL_BYTES", "1999999")
    with pytest.raises(SetupInvalid, match="total_bytes must be at least twice file_bytes"):
        load_settings()


def test_a_wrong_redis_url_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "http://user:secret@db")
    with pytest.raises(SetupInvalid, match="SIGHTLINE_REDIS__URL") as error:
        load_settings()
    assert "secret" not in str(error.value)


def test_settings_shown_hold_no_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://user:secret@db:6379/1")
    assert main(["settings"]) == 0
    shown = capsys.readouterr().out
    assert "SIGHTLINE_REDIS__URL=redis://***@db:6379/1" in shown
    assert "secret" not in shown + repr(load_settings())
    assert shown.count("\n") == len(list(keys()))
    monkeypatch.setenv("REDIS_URL", "redis+sentinel://:secret@a,b/shop?sentinel_password=secret")
    assert main(["settings"]) == 0
    shown = capsys.readouterr().out
    assert "redis+sentinel://***@a,b/shop?sentinel_password=***" in shown
    assert "secret" not in shown


def test_wrong_settings_end_the_command_with_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGHTLINE_LIMITS__K_MAX", "501")
    assert main(["serve"]) == 2
    assert "SIGHTLINE_LIMITS__K_MAX" in capsys.readouterr().err


def test_environment_names_follow_the_tree() -> None:
    assert environment_name("redis", "pool_size") == "SIGHTLINE_REDIS__POOL_SIZE"


def test_the_settings_page_is_up_to_date() -> None:
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert page == settings_markdown(), "run: sightline settings --markdown > docs/settings.md"
