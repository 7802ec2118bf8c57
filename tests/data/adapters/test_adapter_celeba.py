"""CelebA: attributes, persons, the official split, and the 178 x 178 crop."""

import numpy as np
import pytest

from dragoman.data.adapters import import_family
from dragoman.errors import UserError


def faces(tree, folder="img_align_celeba"):
    """Six aligned faces of 178 x 218, stored without loss under their official names."""
    kept = {}
    for number in range(1, 7):
        pixels = tree.rng.integers(0, 256, (218, 178, 3), np.uint8)
        tree.image(f"{folder}/{number:06d}.png", pixels)
        (tree.src / folder / f"{number:06d}.png").rename(tree.src / folder / f"{number:06d}.jpg")
        kept[number] = pixels
    return kept


def test_attributes_split_and_crop(tree, refused):
    kept = faces(tree)
    tree.image("img_align_celeba/000007.png", np.zeros((20, 20, 3), np.uint8))
    tree.write("list_attr_celeba.txt", "\n".join([
        "9", "Bangs Male Smiling ", "000001.jpg -1  1 -1", "000002.jpg  1 -1  1", "000003.jpg -1 -1  1",
        "000004.jpg  1  1", "000005.jpg  1  0  1", "000006.jpg  1  1  1", "000007.png -1 -1 -1", "000008.jpg  1  1 -1",
        "000009.jpg  1  1 -1",
    ]))  # fmt: skip
    splits = {1: 0, 2: 1, 3: 2, 4: 0, 5: 0, 7: 0, 8: 0, 9: 0}
    tree.write("list_eval_partition.txt", "".join(f"{n:06d}.{'png' if n == 7 else 'jpg'} {s}\n"
                                                  for n, s in splits.items()))  # fmt: skip
    tree.write("identity_CelebA.txt", "000001.jpg 2880\n000002.jpg 2937\n000003.jpg 7\n000007.png 3\n000008.jpg 4\n")
    rows, skipped = tree.run("celeba")
    assert rows == [
        {"file_name": "train/000001.png", "attributes": {"Bangs": 0, "Male": 1, "Smiling": 0, "person": 2880}},
        {"file_name": "val/000002.png", "split": "val",
         "attributes": {"Bangs": 1, "Male": 0, "Smiling": 1, "person": 2937}},
        {"file_name": "test/000003.png", "split": "test",
         "attributes": {"Bangs": 0, "Male": 0, "Smiling": 1, "person": 7}},
    ]  # fmt: skip
    assert (tree.pixels("train/000001.png") == kept[1][20:198]).all()
    assert len(skipped) == 6
    refused(skipped, "list_attr_celeba.txt line 6", "000004.jpg must have 3 values")
    refused(skipped, "list_attr_celeba.txt line 7", "000005.jpg")
    refused(skipped, "line 8", "not in list_eval_partition.txt")
    refused(skipped, "line 9", "too few")
    refused(skipped, "line 10", "000008.jpg")
    refused(skipped, "line 11", "not in identity_CelebA.txt")


def test_without_the_optional_files_all_is_train(tree):
    faces(tree)
    values = {1: "1 -1", 2: "-1 1", 3: "1 1"}
    tree.write("list_attr_celeba.txt", "\n".join(["3", "Male Young", *(f"{n:06d}.jpg {v}" for n, v in values.items())]))
    rows, skipped = tree.run("celeba")
    assert [row["attributes"] for row in rows] == [{"Male": 1, "Young": 0}, {"Male": 0, "Young": 1},
                                                   {"Male": 1, "Young": 1}]  # fmt: skip
    assert skipped == []
    data = tree.loads()
    assert data.task.domains == ("Male", "Young") and data.labels.tolist() == [[1, 0], [0, 1], [1, 1]]


def test_the_attribute_list_is_needed(tree):
    faces(tree)
    with pytest.raises(UserError, match=r"no .*list_attr_celeba\.txt"):
        import_family("celeba", tree.src, tree.out)
