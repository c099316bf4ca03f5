"""The media benchmark: its figures are those of the server, its tables say when they are not, and it works."""

from __future__ import annotations

import os
import shutil
from array import array
from dataclasses import replace
from pathlib import Path

import pytest

from loadtests import media_cores, media_native, media_sdp, proof, proof_fuzz
from loadtests.media_figures import Result, percentile, table
from loadtests.media_runs import Place, measure
from loadtests.media_saturation import within

GOOD = Result(
    "bedside",
    calls=24,
    people=2,
    network_loss=0.0,
    cpu_us=20.0,
    core_share=0.2,
    packets_in_s=8160.0,
    packets_out_s=8160.0,
    loss=0.0,
    sound_loss=0.0,
    p50_ms=0.2,
    p99_ms=0.9,
    memory_kb=400.0,
    setup_ms=8.0,
    lateness_p99_ms=1.0,
    peers_core_share=0.3,
    retransmitted=0,
    feedback=100,
    nacks=0,
    unsent=0,
    overflowed=0,
    sent_share=1.0,
)
OFFERS = Path(__file__).parents[1] / "media" / "sdp"


def test_percentiles() -> None:
    values = array("f", [5, 1, 4, 2, 3])
    assert percentile(values, 0.5) == 3
    assert percentile(values, 0.99) == 5
    assert percentile(values, 1.0) == 5
    assert percentile(array("f"), 0.5) != percentile(array("f"), 0.5), "nothing has no median"


def test_a_run_of_late_or_lossy_peers_is_not_valid() -> None:
    assert GOOD.faults == []
    assert within(GOOD)
    for bad in (
        replace(GOOD, lateness_p99_ms=5.1),
        replace(GOOD, unsent=1),
        replace(GOOD, overflowed=1),
        replace(GOOD, sent_share=0.9),
    ):
        assert len(bad.faults) == 1
        assert not within(bad)
    assert not within(replace(GOOD, p99_ms=11.0))
    assert not within(replace(GOOD, loss=0.002))


def test_the_table_has_medians_of_valid_runs_and_the_ratio() -> None:
    janus = replace(GOOD, server="janus", cpu_us=50.0)
    late = replace(GOOD, cpu_us=99.0, lateness_p99_ms=50.0)
    lines = table([GOOD, janus, replace(GOOD, cpu_us=30.0), janus, replace(GOOD, cpu_us=25.0), late]).splitlines()
    assert "| 24 × 2 | bedside | 25.0 | 20.0–30.0 |" in lines[2]
    assert lines[2].endswith("| 3, 1 not valid | 0.50 |")
    assert lines[3].endswith("| 2 |  |")
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
    only = table([late]).splitlines()
    assert "not valid: peers 50 ms late" in only[2]
    assert only[2].count("|") == only[0].count("|")


def test_what_a_description_agrees_to() -> None:
    found = media_sdp.features((OFFERS / "chromium.offer").read_text())
    assert found >= {"audio mid", "audio level", "video nack", "video rtx", "video twcc", "video abs-send-time"}


def test_figures_go_between_their_markers_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- proof:x -->\nold\n<!-- /proof:x -->\nafter\n")
    proof.write(page, "x", "new\n")
    proof.write(page, "x", "newer\n")
    assert page.read_text() == "before\n<!-- proof:x -->\nnewer\n<!-- /proof:x -->\nafter\n"
    with pytest.raises(proof.ProofFailedError):
        proof.write(page, "y", "new")
    for page, names in (
        (proof.RELIABILITY, ("fuzz", "traffic")),
        (proof.BENCHMARKS, ("media", "growth", "saturation")),
    ):
        text = page.read_text()
        assert all(text.count(f"<!-- proof:{name} -->") == text.count(f"<!-- /proof:{name} -->") == 1 for name in names)


def test_every_fuzz_target_has_a_share_of_the_time() -> None:
    from tests.fuzz.mutation import seeds
    from tests.fuzz.targets import TARGETS

    assert set(proof_fuzz.SHARES) == {*TARGETS, "worker"} == set(seeds())


def test_cores_are_split_where_there_are_two() -> None:
    cores = media_cores.split()
    assert cores.server | cores.peers == os.sched_getaffinity(0)
    assert cores.apart == (len(os.sched_getaffinity(0)) > 1)
    before = os.sched_getaffinity(0)
    with media_cores.on(cores.server):
        assert os.sched_getaffinity(0) == cores.server
    assert os.sched_getaffinity(0) == before


@pytest.mark.integration
@pytest.mark.skipif(
    not any(shutil.which(name) for name in media_native.COMPILERS), reason="the benchmark's peers are compiled"
)
@pytest.mark.parametrize("loss", [0.0, 0.05])
async def test_a_short_run_counts_every_packet(tmp_path: Path, loss: float) -> None:
    place = Place(media_cores.split(), media_native.build(tmp_path), None, address="127.0.0.1")
    result = await measure(place, "bedside", calls=1, people=3, seconds=1.0, loss=loss, seed=1)
    assert result.packets_in_s > 0.8 * 3 * 170
    if loss:
        assert result.retransmitted > 0
        assert result.nacks > 0
        assert result.loss < 0.03, "mended"
    else:
        assert result.loss == 0
        assert result.packets_out_s == pytest.approx(2 * result.packets_in_s, rel=0.05)
    assert result.feedback > 0
    assert result.cpu_us > 0
    assert result.setup_ms > 0
    assert "video rtx" in result.agreed["publish"]
    assert "video rtx" in result.agreed["subscribe"]
