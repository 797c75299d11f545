"""Settings: where they come from, which goes first, and how a wrong one is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from atraso.bootstrap import server_limits
from atraso.core.errors import SettingsError
from atraso.serving.gate import ServerLimits
from atraso.serving.predictions import DEFAULT_LIMITS
from atraso.settings import Settings, load_settings, unknown_variables

NAMES = Settings.__struct_fields__


def test_without_anything_said_the_defaults_hold() -> None:
    """An empty environment, a foreign variable and an empty one change nothing."""
    assert load_settings({}) == Settings()
    assert load_settings({"HOME": "/root", "PORT": "1", "ATRASO_PORT": ""}) == Settings()


def test_flags_go_before_variables_before_the_file(tmp_path: Path) -> None:
    """Each source overrides the next, setting by setting."""
    file = tmp_path / "atraso.toml"
    file.write_text('port = 1\nworkers = 3\nhost = "127.0.0.3"\nhead_timeout_s = 2\n')
    environ = {"ATRASO_PORT": "2", "ATRASO_WORKERS": "4", "ATRASO_INSECURE": "true"}
    settings = load_settings(environ, file, {"port": "5"})
    got = (settings.port, settings.workers, settings.host, settings.head_timeout_s, settings.insecure)
    assert got == (5, 4, "127.0.0.3", 2.0, True)


def test_the_variable_for_the_file_is_used_where_no_file_is_given(tmp_path: Path) -> None:
    """ATRASO_CONFIG names it; a file given goes before."""
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text("port = 1")
    two.write_text("port = 2")
    assert load_settings({"ATRASO_CONFIG": str(one)}).port == 1
    assert load_settings({"ATRASO_CONFIG": str(one)}, two).port == 2


def test_a_path_is_a_path() -> None:
    """Of the model as of the key."""
    settings = load_settings({"ATRASO_MODEL": "models/a", "ATRASO_MODEL_VERIFY_KEY": "key.pem"})
    assert (settings.model, settings.model_verify_key) == (Path("models/a"), Path("key.pem"))


@pytest.mark.parametrize(
    ("variable", "value", "takes"),
    [
        ("ATRASO_PORT", "web", "a whole number from 0 to 65535"),
        ("ATRASO_PORT", "65536", "a whole number from 0 to 65535"),
        ("ATRASO_PORT", "-1", "a whole number from 0 to 65535"),
        ("ATRASO_WORKERS", "0", "a whole number from 1 to 256"),
        ("ATRASO_INSECURE", "yes", "true or false"),
        ("ATRASO_HEAD_TIMEOUT_S", "soon", "a number from 0.1 to 3600"),
        ("ATRASO_HEAD_TIMEOUT_S", "nan", "a number from 0.1 to 3600"),
        ("ATRASO_HEAD_TIMEOUT_S", "inf", "a number from 0.1 to 3600"),
        ("ATRASO_LOG_LEVEL", "loud", "one of debug, error, info, warning"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_with_what_can(variable: str, value: str, takes: str) -> None:
    """The sentence names the setting, the value and what it takes."""
    with pytest.raises(SettingsError) as caught:
        load_settings({variable: value})
    assert str(caught.value) == f"{variable} is {value!r}, but takes {takes}."


def test_a_wrong_value_in_the_file_names_the_file(tmp_path: Path) -> None:
    """So does one of another kind than TOML's own."""
    file = tmp_path / "a.toml"
    file.write_text("port = [80]")
    with pytest.raises(SettingsError, match=r"^port in .*a\.toml is \[80\], but takes a whole number"):
        load_settings({}, file)


def test_an_unknown_name_is_told_with_the_nearest_known_one(tmp_path: Path) -> None:
    """In the environment as in the file; a slip of the finger must not pass for a setting."""
    (told,) = unknown_variables({"ATRASO_WORKRES": "3", "ATRASO_WORKERS": "3", "PATH": "/bin"})
    assert "ATRASO_WORKRES; the nearest name is ATRASO_WORKERS" in told
    assert load_settings({"ATRASO_WORKRES": "4"}) == Settings()
    # Those of a client on the same machine are no slips.
    assert unknown_variables({"ATRASO_KEY": "a key", "ATRASO_SCL_DATA": "flights.csv"}) == []
    file = tmp_path / "a.toml"
    file.write_text("prot = 80")
    with pytest.raises(SettingsError, match=r"'prot' in .*; the nearest name is port"):
        load_settings({}, file)


@pytest.mark.parametrize("content", ["port 80", "port = 80\nport = 81", "\udcff"])
def test_a_file_that_is_not_toml_is_told(tmp_path: Path, content: str) -> None:
    """Whatever is wrong with it."""
    file = tmp_path / "a.toml"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError, match="is not TOML"):
        load_settings({}, file)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A configuration that was named must be read."""
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load_settings({"ATRASO_CONFIG": str(tmp_path / "none.toml")})


def test_limits_that_contradict_each_other_are_refused() -> None:
    """A body that is allowed must also find room."""
    with pytest.raises(SettingsError, match="must have room for at least one body"):
        load_settings({"ATRASO_MAX_BUFFERED_BYTES": "10000", "ATRASO_MAX_BODY_BYTES": "10001"})
    assert load_settings({"ATRASO_MAX_BUFFERED_BYTES": "10000", "ATRASO_MAX_BODY_BYTES": "10000"})


def test_every_limit_of_the_server_is_a_setting_and_arrives_there() -> None:
    """Each has its own value here, so none is forgotten or exchanged for another."""
    names = [field.name for field in dataclasses.fields(ServerLimits)]
    values = {name: 2000 + n for n, name in enumerate(names)}
    settings = load_settings({f"ATRASO_{name.upper()}": str(value) for name, value in values.items()})
    assert dataclasses.asdict(server_limits(settings)) == values


def test_the_server_and_the_application_agree_on_the_largest_body() -> None:
    """Their defaults are one."""
    assert ServerLimits().max_body_bytes == DEFAULT_LIMITS.max_body_bytes == Settings().max_body_bytes


def test_settings_cannot_be_changed() -> None:
    """Read once, they hold until the end."""
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]
