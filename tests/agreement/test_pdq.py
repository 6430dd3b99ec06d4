"""PDQ agrees with the reference, bit for bit, on pictures drawn here.

The constants were computed once with the C++ reference (ThreatExchange ``pdq/cpp``, as shipped
in ``pdqhash`` 0.2.8, x86-64) and, except where a test says so, with ``pdqhash`` itself, which
agreed.  ``bench/pdq_oracle.py`` makes the wider comparison where ``pdqhash`` is installed.
Drawing uses whole numbers alone, so the pictures are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from wholecloth.intake.pdq import PdqHash, dihedral, distance, pdq

Pixels = NDArray[np.uint8]
ZERO = "0" * 64


def noise(height: int, width: int, seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def ramp(height: int, width: int) -> Pixels:
    """Red across, green down, blue along the diagonal."""
    y, x = np.mgrid[:height, :width]
    planes = (x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height))
    return np.stack(planes, axis=2).astype(np.uint8)


def checker(height: int, width: int, cell: int) -> Pixels:
    """Two greys in squares: most cosine terms are nought but for rounding."""
    y, x = np.mgrid[:height, :width]
    plane = np.where((y // cell + x // cell) % 2 == 0, 40, 210).astype(np.uint8)
    return np.stack([plane] * 3, axis=2)


def shapes(height: int, width: int, seed: int) -> Pixels:
    """Discs and boxes of random colours over a ramp."""
    rng = np.random.default_rng(seed)
    picture = ramp(height, width)
    y, x = np.mgrid[:height, :width]
    for index in range(12):
        top, left = int(rng.integers(height)), int(rng.integers(width))
        size = int(rng.integers(2, max(height, width) // 3 + 3))
        if index % 2:
            where = (y - top) ** 2 + (x - left) ** 2 < size**2
        else:
            where = (abs(y - top) < size) & (abs(x - left) * 2 < size)
        picture[where] = rng.integers(0, 256, 3, dtype=np.uint8)
    return picture


PICTURES: dict[str, Callable[[], Pixels]] = {
    "noise 256x256": lambda: noise(256, 256, 1),
    "noise 37x411": lambda: noise(37, 411, 2),
    "noise 5x5": lambda: noise(5, 5, 3),
    "noise 64x64": lambda: noise(64, 64, 4),
    "noise 129x128": lambda: noise(129, 128, 5),
    "ramp 200x300": lambda: ramp(200, 300),
    "ramp 513x70": lambda: ramp(513, 70),
    "checker 96x96": lambda: checker(96, 96, 12),
    "checker 250x130": lambda: checker(250, 130, 17),
    "shapes 480x640": lambda: shapes(480, 640, 6),
    "shapes 1024x1024": lambda: shapes(1024, 1024, 7),
    "shapes 64x64": lambda: shapes(64, 64, 8),
    "shapes 63x65": lambda: shapes(63, 65, 9),
    "shapes 1200x90": lambda: shapes(1200, 90, 10),
    "shapes 6x400": lambda: shapes(6, 400, 11),
    "noise 4x300": lambda: noise(4, 300, 12),
    "noise 1x1": lambda: noise(1, 1, 13),
}

KNOWN: dict[str, tuple[str, int]] = {
    "noise 256x256": (
        "7f5bb1958cce628d04e3a2345ed8eaa69ec3e13bd041528fd4daa9935403c2bf",
        100,
    ),
    "noise 37x411": (
        "d5189f9b82b1a19c2237d6e0aa8d9760bc656f600933dc56f4abaf9f386d4825",
        100,
    ),
    "noise 5x5": (
        "ca7269d8358d96279e2793a4ca636c5b61d869d8ca7269d8358d96279e2793a4",
        100,
    ),
    "noise 64x64": (
        "a964a91ef26532bf650b07205d6d12dea9a91bff9c7bf602575c1227326500fc",
        100,
    ),
    "noise 129x128": (
        "de76806653c81ee8a7169a127a41d3644aaf33d4e2a4f1cedac8074fef90be45",
        100,
    ),
    "ramp 200x300": (
        "75ff2200f4af6755a0ab060ab5ae275dadf77a00b4ab3a35c4e25b42b5ae1a42",
        6,
    ),
    "ramp 513x70": (
        "6b7500ff52f800ff374b40ff14a500fb29e700ffa9c640fa934500ff91eb50ba",
        44,
    ),
    "checker 96x96": (
        "772200570277825d287728dd0ad528d502575d205f0a77a8225df50028757d00",
        100,
    ),
    "checker 250x130": (
        "a07fa07f5f807f805f807f805f807f807f807f807f80ff807f807f807f807f80",
        100,
    ),
    "shapes 480x640": (
        "e650d982e6423a21fec8afa1e750387ddc566e40fb82ce42f3330cf919a7279c",
        100,
    ),
    "shapes 1024x1024": (
        "55566298117eca94462d1917ac892547918b6c649173eda934f673f96bdc7077",
        100,
    ),
    "shapes 64x64": (
        "7031807147c07e0ebb4b01f33fcab03ff03879b1fe010126bffa0bdb015b2dfa",
        100,
    ),
    "shapes 63x65": (
        "5967789760de17099a6969352595969d5a5da8f54fa392954068f7a5a857e01e",
        100,
    ),
    "shapes 1200x90": (
        "6949b6ded6a56969b55ed6946929aa6ad6964d41294a96b64aa1294bd69696a6",
        67,
    ),
    "shapes 6x400": (
        "1e1e1e1e0e1e1e1e1e1ee1e1f1e1e1e1e1e1e1e1f1e11e1e1e1e1e1e0e1e1e1e",
        71,
    ),
    "noise 4x300": (
        ZERO,
        0,
    ),
    "noise 1x1": (
        ZERO,
        0,
    ),
}

GREY: dict[str, tuple[str, int]] = {
    "noise 37x411": (
        "d53cbf8a02b0e09c233fc6e1a08dff76bc6523462873dc5ef5e3bf87284c0824",
        100,
    ),
    "ramp 200x300": (
        "8dd4b35f24ce04454913071385135077104343184101915457211b8d122e9455",
        46,
    ),
    "checker 250x130": (
        "a07fa07f5f807f805f807f805f807f807f807f807f80ff807f807f807f807f80",
        100,
    ),
    "shapes 480x640": (
        "377c1782e6c23031fe88aea1e3511c7dcf4e65403182cc78f31b0eeb19f7279c",
        100,
    ),
    "shapes 63x65": (
        "5a2779b6e09a95889a652975a19516955a5d58f542a792d55528f5acaa577b1a",
        100,
    ),
}

EIGHT: dict[str, tuple[int, tuple[str, ...]]] = {
    "noise 37x411": (
        100,
        (
            "d5189f9b82b1a19c2237d6e0aa8d9760bc656f600933dc56f4abaf9f386d4825",
            "f79c7ba61acf3a6142f73a236f442c93760cfa2c2deb07cbda0ec568483c9510",
            "804d3531d7e00b3677627c42fed83dcae930c5ca5c6676fca0be05356d38c28f",
            "a2c9d10c4f9b90cf17a290893a1186392359508f78bead618f5b6fc23d693ffa",
            "d518606482b75e63223f291fab8d689fbc65909f093323a9f5eb5060386db7da",
            "804dcaced7e0f4c9776a83b5fed8c235e9303a345c668903a0feeaca6d383d30",
            "f79c84591acec59a42f7c5dc6f44d164760c05d22debf834d20e1a97483c6aaf",
            "a2c92ef34f9a6f3017a26f763a1179c62359af7078be529e835b903d1d69c005",
        ),
    ),
    "shapes 480x640": (
        100,
        (
            "e650d982e6423a21fec8afa1e750387ddc566e40fb82ce42f3330cf919a7279c",
            "2eb85d27b769ae554d16512aba59b9d44c27542b150e7c720905fe7c60aaeaf1",
            "3705b328b317988bdb9d050bb60592d78913cceae6d764eaa666a6534cf28d36",
            "7bedf78de23c04ff18037980eb0c137e1972fe81405bd6585c5054d635ef405b",
            "6250e67de642cdde8ec8505ee350c782d44691bfb18231bdf333f30619a7d863",
            "33054cd7b3176774db9df8f4b2056d2881033315e4d79b15a66659ac4cf272c9",
            "eeb8eaf8bf6959aa5df6aed5be79462b4c27abd4150e838d0905018360ba150e",
            "7bed0872e23cfb0018c3867feb2cec811972017e405b29a75c50ab2935ffbfa4",
        ),
    ),
    "shapes 64x64": (
        100,
        (
            "7031807147c07e0ebb4b01f33fcab03ff03879b1fe010126bffa0bdb015b2dfa",
            "49a84f1f9ba964171a6dcdd63a2cd1a0264d91f0c5d91a301387eeef1f1f3299",
            "65642adb1295d4a4ee1eab596a9f1a95a56dd31bab54ab8ceaa7a171540e8750",
            "1cfd65b5cebcccbd4f38677c6f797b0a73183b5a908c909a46d244454a4a9833",
            "30317f8e47c081f1bb43fe0c2fca4fc0f038864efe01fed9bff2f424015bd205",
            "2564d52412852b5bee1654a66a9fe56aa56d0ce4ab545473eaa75e8e540e78af",
            "49a8b0e09be99be81a6d32293a2c2e5f264d6e0fc5d9c5cf1b8f11101f1fcd66",
            "1cfd9a4acebc31424f3898836f7984f57318c4a5908c6f654ed2bbba4a4a67cc",
        ),
    ),
}


# A ramp's hash is mostly rounding: here ``pdqhash``, whose luma is rounded once from float64,
# says something else than the C++ reference, whose hash is in KNOWN.
BINDING: dict[str, str] = {
    "ramp 200x300": "75ff2200b5ab6755a0ab0608b5ae275dadf77a00f5ae3a35c4ea5b42b4ab1a42",
    "ramp 513x70": "e6af00ff7b7600ff7f5040ffd42c00ff082c00fbcd2300ff4b1410efac3950fa",
}


@pytest.mark.parametrize("name", KNOWN)
def test_colour_pictures_hash_as_the_reference(name: str) -> None:
    found = pdq(PICTURES[name]())
    assert (found.hex, found.quality) == KNOWN[name]


@pytest.mark.parametrize("name", GREY)
def test_grey_pictures_hash_as_the_reference(name: str) -> None:
    found = pdq(PICTURES[name]()[:, :, 1])
    assert (found.hex, found.quality) == GREY[name]


@pytest.mark.parametrize("name", EIGHT)
def test_eight_orientations_hash_as_the_reference(name: str) -> None:
    found = dihedral(PICTURES[name]())
    assert ({face.quality for face in found}, tuple(face.hex for face in found)) == (
        {EIGHT[name][0]},
        EIGHT[name][1],
    )


@pytest.mark.parametrize("name", BINDING)
def test_luma_is_the_reference_s_and_not_the_binding_s(name: str) -> None:
    assert pdq(PICTURES[name]()).hex == KNOWN[name][0] != BINDING[name]


@pytest.mark.parametrize("shape", [(4, 4), (1, 1), (1, 900), (300, 4), (4, 64, 3)])
def test_a_side_under_five_has_no_hash(shape: tuple[int, ...]) -> None:
    picture = np.full(shape, 7, np.uint8)
    assert pdq(picture) == PdqHash(bytes(32), 0)
    assert dihedral(picture) == (PdqHash(bytes(32), 0),) * 8


@pytest.mark.parametrize("value", [0, 1, 128, 255])
@pytest.mark.parametrize("shape", [(5, 5), (64, 64), (200, 130), (90, 700, 3)])
def test_a_constant_picture_has_quality_nought(shape: tuple[int, ...], value: int) -> None:
    assert pdq(np.full(shape, value, np.uint8)).quality == 0


def test_memory_layout_is_immaterial_and_the_picture_unchanged() -> None:
    picture = shapes(150, 90, 20)
    before = picture.copy()
    expected = pdq(picture)
    planar = np.ascontiguousarray(picture.transpose(2, 0, 1)).transpose(1, 2, 0)
    roomy = np.zeros((300, 180, 3), np.uint8)
    roomy[::2, ::2] = picture
    picture.flags.writeable = False
    assert pdq(planar) == pdq(roomy[::2, ::2]) == pdq(picture) == expected
    assert pdq(np.asfortranarray(picture[:, :, 0])) == pdq(picture[:, :, 0])
    assert np.array_equal(picture, before)


def test_orientations_name_the_turned_picture() -> None:
    picture = shapes(640, 640, 21)
    turned = (
        picture,
        np.rot90(picture, 1),
        np.rot90(picture, 2),
        np.rot90(picture, 3),
        picture[::-1],
        picture[:, ::-1],
        picture.transpose(1, 0, 2),
        np.rot90(picture, 2).transpose(1, 0, 2),
    )
    for index, (face, real) in enumerate(zip(dihedral(picture), turned, strict=True)):
        gaps = [distance(other.bits, pdq(real).bits) for other in dihedral(picture)]
        assert gaps.index(min(gaps)) == index
        assert distance(face.bits, pdq(real).bits) <= 31


def test_the_first_orientation_is_the_plain_hash() -> None:
    for name in ("noise 37x411", "shapes 480x640", "ramp 200x300"):
        picture = PICTURES[name]()
        assert dihedral(picture)[0] == pdq(picture)


def test_distance_counts_bits_both_ways() -> None:
    rng = np.random.default_rng(30)
    for _ in range(50):
        a, b = rng.bytes(32), rng.bytes(32)
        assert distance(a, b) == distance(b, a)
        assert distance(a, a) == 0
        assert distance(a, bytes(255 - byte for byte in a)) == 256
    assert distance(bytes(32), bytes(31) + b"\x07") == 3


def test_hex_is_lower_case_and_reads_back() -> None:
    found = pdq(noise(80, 80, 31))
    assert len(found.hex) == 64
    assert found.hex == found.hex.lower()
    assert bytes.fromhex(found.hex) == found.bits


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((20, 20), np.float32),
        np.zeros((20, 20, 4), np.uint8),
        np.zeros((20, 20, 1), np.uint8),
        np.zeros(20, np.uint8),
        np.zeros((0, 20), np.uint8),
        np.zeros((20, 0, 3), np.uint8),
    ],
)
def test_other_types_and_shapes_are_refused(bad: Pixels) -> None:
    with pytest.raises(ValueError, match="PDQ takes"):
        pdq(bad)
    with pytest.raises(ValueError, match="PDQ takes"):
        dihedral(bad)


def test_malformed_hashes_are_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        PdqHash(bytes(31), 50)
    with pytest.raises(ValueError, match="0 to 100"):
        PdqHash(bytes(32), 101)
    with pytest.raises(ValueError, match="32 bytes"):
        distance(bytes(32), bytes(33))
