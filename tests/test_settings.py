"""Settings: strongest source wins, typos are errors, every knob explains itself."""

from pathlib import Path

import pytest

from headwater.model.errors import SettingsError
from headwater.settings import FILE, Settings, load, origins


def test_the_command_line_beats_the_environment_beats_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_text('port = 1\nhost = "::1"\nwarm = "low"\n')
    monkeypatch.setenv("HEADWATER_PORT", "2")
    monkeypatch.setenv("HEADWATER_HOST", "::2")

    settings = load(data=tmp_path, port=3, warm=None)
    came_from = origins(data=tmp_path, port=3)

    assert (settings.port, settings.host, settings.warm) == (3, "::2", "low")
    assert came_from["port"] == "option"
    assert came_from["host"] == "environment"
    assert came_from["warm"] == FILE
    assert came_from["undo_s"] == "default"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HEADWATER_PROT", "8000", "HEADWATER_PROT"),
        ("HEADWATER_PORT", "many", "HEADWATER_PORT"),
        ("HEADWATER_PORT", "70000", "HEADWATER_PORT"),
        ("HEADWATER_PUBLIC_URL", "video.example.org", "HEADWATER_PUBLIC_URL"),
        ("HEADWATER_PUBLIC_URL", "https://example.org/videos", "HEADWATER_PUBLIC_URL"),
        ("HEADWATER_TRUSTED_PROXIES", "10.0.0.0/8, everybody", "HEADWATER_TRUSTED_PROXIES"),
        ("HEADWATER_WARM", "some", "HEADWATER_WARM"),
        ("HEADWATER_OWNER_EMAIL", "a@b.example", "owner_password"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=said):
        load()


def test_all_that_is_wrong_is_said_at_once_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"HEADWATER_PROT": "1", "HEADWATER_PORT": "abc", "HEADWATER_WARM": "some"}
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as raised:
        load()

    for said in ("HEADWATER_PROT is", "HEADWATER_PORT=abc: ", "HEADWATER_WARM=some: "):
        assert said in str(raised.value)
    assert "Value error" not in str(raised.value)


@pytest.mark.parametrize("text", ["prot = 1", "port =", 'data = "elsewhere"', "port = 'x'"])
def test_a_wrong_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)

    with pytest.raises(SettingsError):
        load(data=tmp_path)


def test_an_empty_variable_is_none() -> None:
    assert load(public_url="").public_url == ""


def test_the_public_address_is_an_origin() -> None:
    assert load(public_url="https://Video.Example.org/").public_url == "https://video.example.org"


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_knob_says_what_it_does(name: str) -> None:
    field = Settings.model_fields[name]

    assert (field.description or "").endswith(".")
    assert isinstance(field.json_schema_extra, dict)
    assert ("bytes" in name) == (field.json_schema_extra["unit"] == "bytes")
    assert name.endswith("_s") == (field.json_schema_extra["unit"] == "seconds")


def test_a_secret_is_not_printed() -> None:
    settings = load(owner_email="a@b.example", owner_password="very secret")

    assert "very secret" not in repr(settings)
