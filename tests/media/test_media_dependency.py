"""Dependency descriptors: what encoders write is read, and nothing that can be sent breaks the reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.rtp.dependency import WINDOW, Structure, best, parse
from media.rtp.packet import Malformed
from tests.media.layers import INDICATIONS, L1T3, L2T2_KEY, Scheme, Template


def told(scheme: Scheme) -> Structure:
    found = parse(scheme.describe(0, 7, tell=True), None).structure
    assert found is not None
    return found


def test_a_structure_and_its_frames() -> None:
    structure = told(L2T2_KEY)
    assert structure.targets == ((0, 0), (0, 1), (1, 0), (1, 1))
    assert structure.lines == (180, 360)
    assert structure.chains == 2
    frame = parse(L2T2_KEY.describe(4, 65_535, start=False), structure)
    assert (frame.number, frame.start, frame.end, frame.spatial) == (65_535, False, True, 1)
    assert (frame.present, frame.switch, frame.needs, frame.far) == (0b1100, 0b1100, 1 << 4, False)
    assert frame.structure is None
    assert frame.active is None
    own = parse(L2T2_KEY.describe(5, 1, indications="-SRD", needs=(3, 63, 64), chains=(9, 9), active=0b0111), structure)
    assert (own.present, own.switch, own.needs, own.far) == (0b1110, 0b0010, 1 << 3 | 1 << 63, True)
    assert own.active == 0b0111


def test_what_is_best() -> None:
    structure = told(L2T2_KEY)
    assert best(structure, 0b1111, 3, 7) == 3
    assert best(structure, 0b1111, 1, 0) == 2
    assert best(structure, 0b1111, 0, 7) == 1
    assert best(structure, 0b0011, 1, 1) == 1, "the larger ones are not sent now"
    assert best(structure, 0b1000, 0, 0) == 3, "better than nothing"
    assert best(structure, 0, 0, 0) == -1


@pytest.mark.parametrize("data", [b"", b"\xc0\x00", b"\xc0\x00\x01", L1T3.describe(0, 1, tell=True)[:-2]])
def test_without_a_whole_structure_nothing_can_be_told(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse(data, None)


def test_a_template_nobody_told() -> None:
    with pytest.raises(Malformed):
        parse(L1T3.describe(5, 1), told(L1T3))


def test_more_layers_than_there_can_be() -> None:
    templates = tuple(Template(spatial, 0, "S") for spatial in range(5))
    with pytest.raises(Malformed):
        told(Scheme(templates))
    with pytest.raises(Malformed):
        told(Scheme((Template(0, 0, "S"),) * 65))
    assert len(told(Scheme((Template(0, 0, "S"),) * 64)).present) == 64


@st.composite
def schemes(draw: st.DrawFn) -> Scheme:
    """Any structure that can be written."""
    targets = draw(st.integers(1, 32))
    chains = draw(st.integers(0, min(targets, 6)))
    layers = [(0, 0)]
    for step in draw(st.lists(st.integers(0, 2), max_size=20)):
        spatial, temporal = layers[-1]
        if step == 1 and temporal < 7:
            temporal += 1
        elif step == 2 and spatial < 3:
            spatial, temporal = spatial + 1, 0
        layers.append((spatial, temporal))
    templates = tuple(
        Template(
            spatial,
            temporal,
            draw(st.text(INDICATIONS, min_size=targets, max_size=targets)),
            tuple(draw(st.lists(st.integers(1, 16), max_size=4, unique=True))),
            tuple(draw(st.lists(st.integers(0, 15), min_size=chains, max_size=chains))),
        )
        for spatial, temporal in layers
    )
    protected = tuple(draw(st.lists(st.integers(0, max(0, chains - 1)), min_size=targets, max_size=targets)))
    lines = draw(st.just(()) | st.tuples(*[st.integers(16, 4096)] * (layers[-1][0] + 1)))
    return Scheme(templates, protected, lines, draw(st.integers(0, 63)))


@given(schemes(), st.data())
def test_whatever_is_written_is_read(scheme: Scheme, data: st.DataObject) -> None:
    structure = told(scheme)
    assert structure.lines == scheme.lines
    assert structure.chains == len(scheme.templates[0].chains)
    for target, (spatial, temporal) in enumerate(structure.targets):
        there = [each for each in scheme.templates if each.indications[target] != "-"]
        assert spatial == max((each.spatial for each in there), default=0)
        assert temporal == max((each.temporal for each in there), default=0)
    at = data.draw(st.integers(0, len(scheme.templates) - 1))
    template = scheme.templates[at]
    frame = parse(scheme.describe(at, 9), structure)
    assert frame.spatial == template.spatial
    assert frame.needs == sum(1 << need for need in template.needs)
    assert frame.present == sum((each != "-") << target for target, each in enumerate(template.indications))
    needs = tuple(data.draw(st.lists(st.integers(1, 4096), max_size=5, unique=True)))
    own = parse(scheme.describe(at, 9, needs=needs), structure)
    assert own.needs == sum(1 << need for need in needs if need < WINDOW)
    assert own.far == any(need >= WINDOW for need in needs)


@given(st.binary(max_size=120), schemes(), st.integers(0, 800))
def test_whatever_comes_is_read_or_refused(data: bytes, scheme: Scheme, cut: int) -> None:
    structure = told(scheme)
    whole = scheme.describe(0, 1, tell=True)
    for each in (data, whole[:cut], whole[: cut // 8] + data, b"\x80\x00\x01\x80" + data):
        for known in (None, structure):
            try:
                frame = parse(each, known)
            except Malformed:
                continue
            assert frame.present < 1 << 32
            assert frame.needs < 1 << WINDOW
            assert frame.switch & ~frame.present == 0
