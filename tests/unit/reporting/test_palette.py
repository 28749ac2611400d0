"""Colours that stand for different things, as people see them who lack one kind of cone."""

from itertools import combinations

import colorspacious
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from visatb.reporting.figures.style import OKABE_ITO

DISTANCE = 10
"""In CAM02-UCS, where 1 is about what can be told apart side by side; thin lines and small marks need more."""

DEFICIENCIES = ("deuteranomaly", "protanomaly", "tritanomaly")


def seen(colours: list[str], deficiency: str | None) -> np.ndarray:
    """Return the colours [n, 3] in CAM02-UCS, after a full loss of one kind of cone."""
    shown = np.array([to_rgb(colour) for colour in colours])
    if deficiency:
        space = {"name": "sRGB1+CVD", "cvd_type": deficiency, "severity": 100}
        shown = np.clip(colorspacious.cspace_convert(shown, space, "sRGB1"), 0, 1)
    return colorspacious.cspace_convert(shown, "sRGB1", "CAM02-UCS")


@pytest.mark.parametrize("deficiency", [None, *DEFICIENCIES])
def test_colours_can_be_told_apart(deficiency: str | None):
    places = seen(list(OKABE_ITO), deficiency)
    for (first, one), (second, other) in combinations(zip(OKABE_ITO, places, strict=True), 2):
        assert np.linalg.norm(one - other) > DISTANCE, f"{first} and {second}"


def test_the_measure_knows_red_from_green_only_where_eyes_do():
    whole, lacking = (np.linalg.norm(np.subtract(*seen(["#C00000", "#5C7000"], d))) for d in (None, "deuteranomaly"))
    assert whole > 3 * lacking


@pytest.mark.parametrize("colour", OKABE_ITO)
def test_lines_stand_out_from_paper(colour: str):
    paper, ink = seen(["#FFFFFF", colour], None)
    assert paper[0] - ink[0] > 20, "lightness, of 100"
