"""HLS: what an independent parser reads back, and Apple's authoring rules, rule by rule.

The rules' numbers are those of docs/hls-checklist.md.
"""

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import m3u8
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.containers.table import TrackTable
from headwater.delivery.manifests.hls import master, media_playlist, target_duration
from headwater.model.errors import NotFound
from headwater.model.ids import TrackId
from headwater.model.plan import Plan
from tests.planning.tables import avcc, plan_of, sound, table, video

STREAM = "gen1"


def surround(**told: object) -> TrackTable:
    return replace(sound(60, channels=6), **told)  # type: ignore[arg-type]


PLANS = {
    "a phone's video": plan_of(video(60, config=avcc(), reorder=True), sound(60, priming=1024)),
    "silent": plan_of(video(60)),
    "fast": plan_of(video(60, fps=60), sound(60)),
    "one picture": plan_of(video(1 / 30)),
    "sound alone": plan_of(sound(61)),
    "several languages alone": plan_of(
        replace(sound(61), language="deu"), replace(sound(61), number=3, language="eng")
    ),
    "surround": plan_of(video(60), surround(language="eng")),
    "languages": plan_of(
        video(60),
        surround(language="eng", default=False, name='The "director"'),
        replace(sound(60), number=3, language="fre"),
        replace(sound(60), number=4, language="fra"),
        replace(sound(60), number=5),
    ),
}
every_plan = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())


def variants(plan: Plan) -> list[m3u8.Playlist]:
    return list(m3u8.loads(master(plan, stream=STREAM)).playlists)


def media(plan: Plan, track: str) -> m3u8.M3U8:
    return m3u8.loads(media_playlist(plan, TrackId(track)))


@every_plan
def test_every_track_is_named_and_every_name_is_a_track(plan: Plan) -> None:
    parsed = m3u8.loads(master(plan, stream=STREAM))

    addresses = {p.uri for p in parsed.playlists} | {m.uri for m in parsed.media}
    assert addresses == {f"{STREAM}/{track}/playlist.m3u8" for track in plan.track_ids()}


@every_plan
def test_media_playlists_hold_every_segment(plan: Plan) -> None:
    for track in plan.track_ids():
        parsed = media(plan, track)

        assert parsed.is_endlist
        assert parsed.playlist_type == "vod"
        assert parsed.media_sequence == 0
        assert parsed.segment_map[0].uri == "init.mp4"
        assert [s.uri for s in parsed.segments] == [f"{k}.m4s" for k in range(len(parsed.segments))]


@every_plan
def test_rule_1_every_variant_says_what_it_is(plan: Plan) -> None:
    """BANDWIDTH, AVERAGE-BANDWIDTH, CODECS; for pictures RESOLUTION, FRAME-RATE, VIDEO-RANGE."""
    for variant in variants(plan):
        told = variant.stream_info
        assert told.bandwidth >= told.average_bandwidth > 0
        assert re.fullmatch(r"(avc1\.[0-9A-F]{6})?,?(mp4a\.40\.2)?", told.codecs)
        if plan.video:
            assert told.resolution
            assert told.frame_rate
            assert told.video_range == "SDR"
            assert told.closed_captions == "NONE"
        else:
            assert told.resolution is None


@every_plan
def test_rule_2_one_target_duration_that_no_segment_passes(plan: Plan) -> None:
    for track in plan.track_ids():
        parsed = media(plan, track)

        assert parsed.target_duration == target_duration(plan)
        for segment in parsed.segments:
            assert int(Fraction(str(segment.duration)) + Fraction(1, 2)) <= parsed.target_duration


@every_plan
def test_rule_3_fragmented_mp4_with_a_map_and_independent_segments(plan: Plan) -> None:
    assert "#EXT-X-INDEPENDENT-SEGMENTS" in master(plan, stream=STREAM).splitlines()
    for track in plan.track_ids():
        lines = media_playlist(plan, TrackId(track)).splitlines()
        assert lines[0] == "#EXTM3U"
        assert lines[1] == "#EXT-X-VERSION:7"
        assert lines[-1] == "#EXT-X-ENDLIST"


@every_plan
def test_rule_4_audio_groups_hold_the_same_tracks(plan: Plan) -> None:
    """One default per group, names that differ, AUTOSELECT where DEFAULT, CHANNELS said."""
    parsed = m3u8.loads(master(plan, stream=STREAM))
    groups: dict[str, list[m3u8.Media]] = {}
    for one in parsed.media:
        groups.setdefault(one.group_id, []).append(one)

    names = {tuple(m.name for m in members) for members in groups.values()}
    assert len(names) <= 1
    for members in groups.values():
        assert len({m.name for m in members}) == len(members)
        assert [m.default for m in members].count("YES") == 1
        automatic = [m for m in members if m.autoselect == "YES"]
        assert len({m.language for m in automatic}) == len(automatic)
        for m in members:
            assert m.type == "AUDIO"
            assert m.channels
            assert m.default == "NO" or m.autoselect == "YES"
    for variant in parsed.playlists:
        assert (variant.stream_info.audio in groups) == bool(plan.audio)


@every_plan
def test_rule_5_variants_climb_in_steps(plan: Plan) -> None:
    """Every rung once per group, no two alike."""
    seen = [(v.uri, v.stream_info.audio) for v in variants(plan)]

    assert len(set(seen)) == len(seen)


@every_plan
def test_rule_6_the_first_variant_starts_everywhere(plan: Plan) -> None:
    """At most 4 Mbit/s where there is one, stereo, and the best of those."""
    if plan.video is None:
        return
    first, *_ = variants(plan)
    affordable = [r for r in plan.video.rungs if r.peak_bps <= 4_000_000]

    wanted = affordable[-1] if affordable else plan.video.rungs[0]
    assert first.uri == f"{STREAM}/{wanted.id}/playlist.m3u8"
    assert first.stream_info.audio in (None, "stereo")


@every_plan
def test_rule_7_no_more_than_sixty_frames(plan: Plan) -> None:
    for variant in variants(plan):
        assert (variant.stream_info.frame_rate or 0) <= 60


@every_plan
def test_rule_8_quoted_words_hold_no_quotes(plan: Plan) -> None:
    for line in master(plan, stream=STREAM).splitlines():
        assert line.count('"') % 2 == 0
        assert line.isprintable()


def test_rule_9_surround_comes_with_stereo() -> None:
    parsed = m3u8.loads(master(PLANS["surround"], stream=STREAM))

    assert [(m.group_id, m.channels, m.uri) for m in parsed.media] == [
        ("stereo", "2", f"{STREAM}/a1s/playlist.m3u8"),
        ("surround", "6", f"{STREAM}/a1/playlist.m3u8"),
    ]
    rungs = len(PLANS["surround"].video.rungs)  # type: ignore[union-attr]
    assert [p.stream_info.audio for p in parsed.playlists] == ["stereo"] * rungs + [
        "surround"
    ] * rungs


def test_rule_10_languages_are_said_as_short_as_they_can_be() -> None:
    parsed = m3u8.loads(master(PLANS["languages"], stream=STREAM))

    stereo = [m for m in parsed.media if m.group_id == "stereo"]
    assert [(m.name, m.language, m.default, m.autoselect) for m in stereo] == [
        ("The 'director'", "en", "NO", "YES"),
        ("Français", "fr", "YES", "YES"),
        ("Français (2)", "fr", "NO", "NO"),
        ("Audio 4", None, "NO", "YES"),
    ]


def test_the_checklist_names_the_rules_tested_here() -> None:
    """Paper and test stay together."""
    paper = (Path(__file__).parents[2] / "docs" / "hls-checklist.md").read_text()
    told = set(re.findall(r"^\| (\d+) \|", paper, flags=re.MULTILINE))
    tested = set(re.findall(r"def test_rule_(\d+)_", Path(__file__).read_text()))

    assert tested
    assert told == tested


def test_an_unknown_track_is_not_found() -> None:
    with pytest.raises(NotFound):
        media_playlist(PLANS["silent"], TrackId("a1"))


@given(
    steps=st.lists(st.integers(1, 100_000), min_size=1, max_size=200),
    timescale=st.sampled_from([1000, 24_000, 30_000, 44_100, 90_000, 999_983]),
)
@settings(deadline=None, max_examples=100)
def test_the_sum_of_durations_does_not_drift(steps: list[int], timescale: int) -> None:
    """However odd the timescale: after any segment the sum is right to half a microsecond."""
    source = table(
        "video",
        np.cumsum([0, *steps[:-1]]).tolist(),
        duration=1,
        timescale=timescale,
        durations=np.array(steps),
    )
    plan = plan_of(source)
    assert plan.video

    told = re.findall(r"#EXTINF:([0-9.]+),", media_playlist(plan, plan.video.rungs[0].id))

    total = Fraction(plan.video.cuts[0], timescale)
    for duration, cut in zip(told, plan.video.cuts[1:], strict=True):
        total += Fraction(duration)
        assert abs(total - Fraction(cut, timescale)) <= Fraction(1, 1_000_000)
    assert plan.video.cuts[-1] - plan.video.cuts[0] == sum(steps)


def test_the_bandwidth_holds_for_every_run_of_segments() -> None:
    """A copy's figure against its own samples, by the definition (RFC 8216bis, BANDWIDTH)."""
    sizes = np.random.default_rng(7).integers(500, 60_000, 1800)
    source = video(60, config=avcc(), sizes=sizes)
    plan = plan_of(source)
    assert plan.video
    rung = plan.video.rungs[-1]
    assert rung.copy

    bits = [8 * int(sizes[lo:hi].sum()) for lo, hi in plan.video.owns]
    lengths = np.diff(plan.video.cuts) / plan.video.timescale
    target = target_duration(plan)
    for first in range(len(bits)):
        for last in range(first + 1, len(bits) + 1):
            length = lengths[first:last].sum()
            if 0.5 * target <= length <= 1.5 * target:
                assert sum(bits[first:last]) / length <= rung.peak_bps
