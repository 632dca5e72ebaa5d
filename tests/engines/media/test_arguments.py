"""The arguments say everything, and say it the same whatever is asked with it."""

from headwater.engines.media import arguments
from headwater.engines.media.port import Window
from headwater.model.plan import Colour, Rung, VideoPlan
from tests.support.windows import rendition, rung

WINDOW = Window(demuxer="mov", body=b"", base=90_000, timescale=90_000)


def plan(*rungs: Rung, **changes: object) -> VideoPlan:
    values: dict[str, object] = {
        "source_track": 1,
        "codec": "h264",
        "timescale": 90_000,
        "shift": 0,
        "width": 1920,
        "height": 1080,
        "rotation": 0,
        "interlaced": False,
        "tone_map": False,
        "colour": Colour(),
        "rungs": list(rungs),
        **{name: [] for name in ("cuts", "windows", "owns", "frames")},
        **changes,
    }
    return VideoPlan(**values)  # type: ignore[arg-type]


def command(video: VideoPlan, asked: list[Rung]) -> list[str]:
    return arguments.video_arguments(
        WINDOW, video=video, start=450_000, stop=810_000, rungs=asked, threads=1
    )


def graph_of(said: list[str]) -> str:
    return said[said.index("-filter_complex") + 1]


def test_input_is_pinned() -> None:
    """One demuxer, one protocol, standard input, no interaction."""
    rungs = [rung(360), rung(720)]
    commands = [
        command(plan(*rungs), rungs),
        arguments.look_arguments(WINDOW, kind="audio"),
        arguments.audio_arguments(WINDOW, rendition=rendition(), at=0, start=0, stop=1024),
        arguments.picture_arguments(WINDOW, video=plan(*rungs), width=16, height=16),
        arguments.remux_arguments("mpegts", [(0, "h264")], family="mov"),
        arguments.streams_arguments("avi"),
        arguments.sheet_arguments(width=16, height=16, columns=1, rows=1),
    ]
    for said in commands:
        assert said[:5] == ["-nostdin", "-hide_banner", "-nostats", "-protocol_whitelist", "pipe"]
        assert said.count("-i") == 1
        at = said.index("-i")
        assert said[at + 1] == "pipe:0"
        assert "-f" in said[:at]
        assert said[-1] == "-" or said[-1].startswith("pipe:")


def test_the_chain_goes_down_as_far_as_is_asked() -> None:
    """Each rung is scaled from the one above it, asked or not; copies are no part of it."""
    copy = Rung(**{**{n: getattr(rung(1080), n) for n in Rung.__struct_fields__}, "copy": True})
    rungs = [rung(240), rung(480), rung(720), copy]

    whole = graph_of(command(plan(*rungs), rungs[:3]))
    middle = graph_of(command(plan(*rungs), [rungs[1]]))

    scales = [part.split(":")[0] for part in whole.split("zscale=w=")[1:]]
    assert scales == ["960", "640", "320"]
    assert [part.split(":")[0] for part in middle.split("zscale=w=")[1:]] == ["960", "640"]
    assert "split" in whole
    assert "split" not in middle


def test_pictures_nobody_keeps_are_not_scaled() -> None:
    """At 120 frames a second with half of them in every rung, the other half is dropped first."""
    rungs = [rung(240, step=4), rung(480, step=2)]

    graph = graph_of(command(plan(*rungs), rungs))

    assert graph.count("select=not(mod(") == 2
    assert graph.index(r"select=not(mod(n\,2))") < graph.rindex("scale=")


def test_trimming_and_ticks_are_whole_numbers() -> None:
    graph = graph_of(command(plan(rung(240)), [rung(240)]))

    assert "trim=start_pts=360000:end_pts=720000" in graph
    assert "setpts=PTS+90000" in graph  # 90 000 - 450 000 + (360 000 + 90 000)


def test_what_says_nothing_of_its_colours_is_judged_by_its_size() -> None:
    high = graph_of(command(plan(rung(240)), [rung(240)]))
    low = graph_of(command(plan(rung(240), width=720, height=576), [rung(240)]))
    told = graph_of(command(plan(rung(240), colour=Colour(space="bt470bg")), [rung(240)]))

    assert "in_color_matrix=bt709" in high
    assert "in_color_matrix=smpte170m" in low
    assert "in_color_matrix=bt470bg" in told


def test_pictures_of_odd_size_are_scaled_and_converted_at_once() -> None:
    """The quicker scaler takes 4:2:0 only if its chroma is half as large."""
    even = graph_of(command(plan(rung(240)), [rung(240)]))
    odd = graph_of(command(plan(rung(240), width=853, height=481), [rung(240)]))
    same = graph_of(command(plan(rung(240), width=320, height=240), [rung(240)]))

    assert [even.count("zscale="), odd.count("zscale="), same.count("zscale=")] == [1, 0, 0]
    assert ",scale=1920:1080:" in even
    assert ",scale=320:240:" in odd


def test_the_search_is_wider_where_pictures_are_smaller() -> None:
    wide = {height: arguments.search(rung(height)) for height in (240, 360, 480, 1080, 2160)}

    assert "subme=4" in wide[240]
    assert "subme=2" in wide[360]
    assert "subme=1" in wide[480]
    assert wide[480] == wide[1080] != wide[2160]


def test_the_configuration_is_named() -> None:
    """It is part of a generation's name: pure, short, and of this very format."""
    assert arguments.encode_config() == arguments.encode_config()
    assert arguments.encode_config().startswith(f"{arguments.FORMAT};")
