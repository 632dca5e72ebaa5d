"""DASH: what an independent parser reads back of the manifest."""

import re
from xml.etree import ElementTree as ET

import pytest
from mpegdash.parser import MPEGDASHParser

from headwater.delivery.manifests.dash import mpd
from headwater.model.plan import Plan
from tests.delivery.test_hls import PLANS, STREAM

NAMESPACE = {"d": "urn:mpeg:dash:schema:mpd:2011"}
every_plan = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())


def cuts_of(plan: Plan, track: str) -> tuple[list[int], int]:
    if plan.video and any(rung.id == track for rung in plan.video.rungs):
        return plan.video.cuts, plan.video.timescale
    rendition = next(r for a in plan.audio for r in a.renditions if r.id == track)
    return rendition.cuts, rendition.sample_rate


@every_plan
def test_every_track_is_there_with_its_exact_timeline(plan: Plan) -> None:
    parsed = MPEGDASHParser.parse(mpd(plan, stream=STREAM))

    tracks: list[str] = []
    for adaptation in parsed.periods[0].adaptation_sets:
        template = adaptation.segment_templates[0]
        starts: list[int] = []
        for run in template.segment_timelines[0].Ss:
            at = run.t if run.t is not None else starts[-1]
            starts = starts or [at]
            for _ in range((run.r or 0) + 1):
                starts.append(starts[-1] + run.d)
        for representation in adaptation.representations:
            tracks.append(representation.id)
            cuts, timescale = cuts_of(plan, representation.id)
            assert (starts, template.timescale) == (cuts, timescale)
    assert tracks == plan.track_ids()


@every_plan
def test_addresses_are_those_of_hls(plan: Plan) -> None:
    parsed = MPEGDASHParser.parse(mpd(plan, stream=STREAM))

    for adaptation in parsed.periods[0].adaptation_sets:
        template = adaptation.segment_templates[0]
        assert template.start_number == 0
        assert template.initialization == f"{STREAM}/$RepresentationID$/init.mp4"
        assert template.media == f"{STREAM}/$RepresentationID$/$Number$.m4s"


@every_plan
def test_the_manifest_says_what_players_need(plan: Plan) -> None:
    root = ET.fromstring(mpd(plan, stream=STREAM))

    assert root.get("type") == "static"
    assert "urn:mpeg:dash:profile:isoff-live:2011" in str(root.get("profiles"))
    length = re.fullmatch(r"PT([0-9.]+)S", str(root.get("mediaPresentationDuration")))
    assert length
    assert float(length[1]) == pytest.approx(plan.duration_s, abs=1e-6)
    sets = root.findall("d:Period/d:AdaptationSet", NAMESPACE)
    assert [s.get("id") for s in sets] == [str(n) for n in range(len(sets))]
    for adaptation in sets:
        assert adaptation.get("segmentAlignment") == "true"
        assert adaptation.get("startWithSAP") == "1"
        for representation in adaptation.findall("d:Representation", NAMESPACE):
            assert int(representation.get("bandwidth", 0)) > 0
            if adaptation.get("contentType") == "video":
                assert str(representation.get("codecs")).startswith("avc1.")
                assert representation.get("sar") == "1:1"
                assert re.fullmatch(r"\d+(/\d+)?", str(representation.get("frameRate")))
            else:
                configuration = representation.find("d:AudioChannelConfiguration", NAMESPACE)
                assert configuration is not None
                assert configuration.get("value") in ("1", "2", "6")


@every_plan
def test_one_sound_is_main(plan: Plan) -> None:
    root = ET.fromstring(mpd(plan, stream=STREAM))

    roles = [
        role.get("value")
        for role in root.findall("d:Period/d:AdaptationSet[@contentType='audio']/d:Role", NAMESPACE)
    ]
    assert roles.count("main") == min(1, len(plan.audio))


def test_names_come_through_whole() -> None:
    root = ET.fromstring(mpd(PLANS["languages"], stream=STREAM))

    labels = {label.text for label in root.iter(f"{{{NAMESPACE['d']}}}Label")}
    assert labels == {"The 'director'", "Français", "Français (2)", "Audio 4"}
