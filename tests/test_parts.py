"""The split into a part to learn from and one to validate on."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from planimeter.errors import DataError
from planimeter.labels import LabelledPicture, LabelledPictures, fold, split
from planimeter.labels.likeness import group
from planimeter.masks.window import WindowMask


def texture(seed: int, side: int = 48) -> NDArray[np.uint8]:
    """Return a picture with structure in it, unlike that of any other seed."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 6), np.uint8)
    return np.repeat(np.kron(small, np.ones((side // 6, side // 6), np.uint8))[:, :, None], 3, axis=2)


def picture(name: str, pixels: NDArray[np.uint8], label: int = 1) -> LabelledPicture:
    masks = (WindowMask(2, 2, np.ones((4, 4), bool)),) if label else ()
    return LabelledPicture(name, pixels, (label,) if label else (), masks)


def names(pictures: list[LabelledPicture]) -> set[str]:
    return {entry.name for entry in pictures}


def test_a_copy_however_turned_or_mirrored_is_in_the_group_of_its_picture() -> None:
    first, other = texture(1), texture(2)
    turned = [np.rot90(first, turns)[:, ::step].copy() for turns in range(4) for step in (1, -1)]
    pictures = [picture(f"a{index}", pixels) for index, pixels in enumerate(turned)]
    pictures.append(picture("b", other))
    groups = sorted(group(pictures), key=len)
    assert [names(entry) for entry in groups] == [{"b"}, {f"a{index}" for index in range(8)}]


def test_a_darker_copy_is_in_the_group_of_its_picture_but_flat_pictures_are_not_all_one() -> None:
    first = texture(1)
    flat = [np.full((20, 20, 3), value, np.uint8) for value in (0, 0, 9)]
    pictures = [picture("a", first), picture("b", (first * 0.7 + 10).astype(np.uint8))]
    pictures += [picture(f"flat{index}", pixels) for index, pixels in enumerate(flat)]
    found = sorted(sorted(names(entry)) for entry in group(pictures))
    assert found == [["a", "b"], ["flat0", "flat1"], ["flat2"]]


def test_copies_stay_on_one_side_of_the_split() -> None:
    pictures = tuple(
        picture(f"{seed}-{turns}", np.rot90(texture(seed), turns).copy())
        for seed in range(20)
        for turns in range(3)
    )
    train, validation = split(LabelledPictures(("blob",), pictures), 0.2, seed=3)
    seeds = [{entry.name.split("-")[0] for entry in part.pictures} for part in (train, validation)]
    assert not seeds[0] & seeds[1]
    assert len(validation.pictures) == 12


@pytest.mark.parametrize("pattern", [r"part(\d+)", r"part\d+", r"(a|b)/part(\d+)|part(\d+)"])
def test_pictures_of_one_part_stay_together_by_their_names(pattern: str) -> None:
    pictures = tuple(
        picture(f"part{part}_exposure{number}.png", texture(10 * part + number))
        for part in range(20)
        for number in range(3)
    )
    alone = tuple(picture(f"other{number}.png", texture(1000 + number)) for number in range(20))
    parts = split(LabelledPictures(("blob",), pictures + alone), 0.25, seed=1, keep_together=pattern)
    stems = [{entry.name.split("_")[0] for entry in part.pictures} for part in parts]
    assert not stems[0] & stems[1]
    assert len(stems[1]) == 10
    assert any(stem.startswith("other") for stem in stems[1])


def test_a_pattern_that_is_in_no_file_name_is_refused() -> None:
    data = LabelledPictures(("blob",), tuple(picture(f"p{index}.png", texture(index)) for index in range(4)))
    with pytest.raises(DataError, match=r"'part' is found in none of the 4 file names, such as 'p0\.png'"):
        split(data, 0.5, 0, keep_together="part")


@pytest.mark.parametrize("seed", range(5))
def test_every_class_and_the_empty_pictures_give_their_share(seed: int) -> None:
    labels = [0] * 40 + [1] * 40 + [2] * 20
    pictures = tuple(picture(f"p{index:03}", texture(index), label) for index, label in enumerate(labels))
    train, validation = split(LabelledPictures(("often", "rare"), pictures), 0.1, seed)
    count = Counter(entry.labels[0] if entry.labels else 0 for entry in validation.pictures)
    assert count == {0: 4, 1: 4, 2: 2}
    assert len(train.pictures) == 90


def test_the_same_seed_gives_the_same_split_and_another_another() -> None:
    data = LabelledPictures(("blob",), tuple(picture(f"p{index}", texture(index)) for index in range(30)))
    parts = [names(list(split(data, 0.3, seed)[1].pictures)) for seed in (1, 1, 2)]
    assert parts[0] == parts[1] != parts[2]


def test_pictures_that_are_all_the_same_cannot_be_split() -> None:
    data = LabelledPictures(("blob",), tuple(picture(f"p{index}", texture(1)) for index in range(4)))
    with pytest.raises(DataError, match="4 pictures, 1 of them different, cannot be split"):
        split(data, 0.5, 0)


def test_each_picture_is_held_out_of_one_fold_and_its_copies_with_it() -> None:
    labels = [0] * 20 + [1] * 20 + [2] * 10
    pictures = tuple(
        picture(f"{index:02}-{turns}", np.rot90(texture(index), turns).copy(), label)
        for index, label in enumerate(labels)
        for turns in range(2)
    )
    parts = fold(LabelledPictures(("often", "rare"), pictures), 5, seed=2)
    held = [entry.name for _, part in parts for entry in part.pictures]
    assert sorted(held) == sorted(entry.name for entry in pictures)
    for learn, part in parts:
        assert len(learn.pictures) + len(part.pictures) == len(pictures)
        assert not {entry.name[:2] for entry in learn.pictures} & {entry.name[:2] for entry in part.pictures}
        count = Counter(entry.labels[0] if entry.labels else 0 for entry in part.pictures)
        assert count == {0: 8, 1: 8, 2: 4}


def test_a_class_that_one_fold_would_hold_alone_is_named() -> None:
    pictures = [picture(f"p{index}", texture(index)) for index in range(10)]
    pictures += [picture(f"rare{turns}", np.rot90(texture(99), turns).copy(), 2) for turns in range(4)]
    with pytest.raises(DataError, match=r"class rare: .* fold \d would never see it"):
        fold(LabelledPictures(("often", "rare"), tuple(pictures)), 3, seed=0)


def test_more_folds_than_different_pictures_are_refused() -> None:
    data = LabelledPictures(("blob",), tuple(picture(f"p{index}", texture(index % 3)) for index in range(6)))
    with pytest.raises(DataError, match="6 pictures, 3 of them different, cannot be dealt into 4 folds"):
        fold(data, 4, seed=0)
