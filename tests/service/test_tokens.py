"""Tokens come from the environment or a file, are checked at start, and are never shown."""

from pathlib import Path

import pytest

from service.__main__ import main
from service.errors import SetupInvalid
from service.settings.tree import load_settings

TOKEN = "s3cret-" * 5
VARIABLE = "SIGHTLINE_SERVER__ADMIN_TOKEN"


def tokens() -> list[str]:
    return [token.get_secret_value() for token in load_settings().server.admin_tokens()]


def test_without_a_token_there_is_none() -> None:
    assert tokens() == []


def test_a_token_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)
    assert tokens() == [TOKEN]


def test_tokens_are_read_from_the_lines_of_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"  {TOKEN}  \n\n{TOKEN}2\n")
    monkeypatch.setenv(f"{VARIABLE}_FILE", str(file))
    assert tokens() == [TOKEN, f"{TOKEN}2"]


@pytest.mark.parametrize(
    ("token", "content", "says"),
    [
        ("short", None, "openssl rand -hex 32"),
        (None, "short\n", "openssl rand -hex 32"),
        (None, f"{TOKEN}\nshort\n", "openssl rand -hex 32"),
        (None, "\n \n", "holds no token"),
        (None, "\udcff", "cannot be read"),
        (TOKEN, TOKEN, "not both"),
    ],
)
def test_a_token_that_cannot_be_used_ends_the_start_without_being_shown(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    token: str | None,
    content: str | None,
    says: str,
) -> None:
    if token is not None:
        monkeypatch.setenv(VARIABLE, token)
    if content is not None:
        (tmp_path / "tokens").write_text(content, errors="surrogateescape")
        monkeypatch.setenv(f"{VARIABLE}_FILE", str(tmp_path / "tokens"))
    with pytest.raises(SetupInvalid, match=says) as error:
        load_settings()
    assert TOKEN not in str(error.value)
    assert "'short'" not in str(error.value)


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(f"{VARIABLE}_FILE", str(tmp_path / "none"))
    with pytest.raises(SetupInvalid, match="none cannot be read"):
        load_settings()


def test_the_settings_command_hides_the_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)
    assert main(["settings"]) == 0
    shown = capsys.readouterr().out
    assert f"{VARIABLE}=*" in shown
    assert TOKEN not in shown
    assert TOKEN not in repr(load_settings())
    assert TOKEN not in load_settings().model_dump_json()
