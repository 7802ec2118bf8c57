"""Families whose folders are domains: AFHQ, CelebA-HQ, LSUN, plain folders, colours, artworks."""

import pytest

from dragoman.data.adapters import import_family
from dragoman.errors import UserError


def names(rows):
    return sorted((row.get("split", "train"), row["domain"], row["file_name"]) for row in rows)


def test_afhq(tree, refused):
    for name in ("train/cat/1.jpg", "train/dog/1.jpg", "train/dog/2.jpg", "val/cat/9.jpg", "val/dog/9.jpg"):
        tree.image(name)
    tree.write("val/dog/8.jpg", "no image")
    rows, skipped = tree.run("afhq")
    assert names(rows) == [
        ("test", "cat", "test/cat/9.jpg"), ("test", "dog", "test/dog/9.jpg"), ("train", "cat", "train/cat/1.jpg"),
        ("train", "dog", "train/dog/1.jpg"), ("train", "dog", "train/dog/2.jpg"),
    ]  # fmt: skip
    assert len(skipped) == 1
    refused(skipped, "val/dog/8.jpg")
    assert len(tree.loads()) == 3 and len(tree.loads("test")) == 2


def test_celeba_hq_with_test_folder(tree):
    for name in ("train/female/a.png", "train/male/b.png", "val/male/c.png", "test/female/d.png"):
        tree.image(name)
    rows, _ = tree.run("celeba-hq")
    assert [(row.get("split", "train"), row["domain"]) for row in rows] == [
        ("train", "female"), ("train", "male"), ("val", "male"), ("test", "female"),
    ]  # fmt: skip


def test_plain_folders_with_splits(tree):
    for name in ("train/day/a.png", "train/night/deep/b.png", "test/day/c.png", ".hidden/d.png"):
        tree.image(name)
    rows, skipped = tree.run("folders")
    assert names(rows) == [
        ("test", "day", "test/day/c.png"), ("train", "day", "train/day/a.png"),
        ("train", "night", "train/night/deep/b.png"),
    ]  # fmt: skip
    assert skipped == []
    tree.loads()


def test_lsun(tree, refused):
    for name in ("bedroom_train/a/b/c/1.webp", "bedroom_val/2.webp", "church_outdoor_train/3.jpg", "kitchen/4.jpg"):
        tree.image(name)
    tree.write("bedroom_train/a/5.webp", "no image")
    rows, skipped = tree.run("lsun")
    assert names(rows) == [
        ("test", "bedroom", "test/bedroom/2.webp"), ("train", "bedroom", "train/bedroom/a/b/c/1.webp"),
        ("train", "church_outdoor", "train/church_outdoor/3.jpg"), ("train", "kitchen", "train/kitchen/4.jpg"),
    ]  # fmt: skip
    refused(skipped, "bedroom_train/a/5.webp")
    tree.loads()


def test_lsun_as_lmdb_is_refused(tree):
    tree.write("bedroom_train_lmdb/data.mdb")
    with pytest.raises(UserError, match=r"bedroom_train_lmdb is an lmdb.*export bedroom_train_lmdb"):
        import_family("lsun", tree.src, tree.out)


def test_colours(tree, refused):
    for name in ("Blue/1.jpg", "gray/2.jpg", "yellow/3.jpg", "turquoise/4.jpg"):
        tree.image(name)
    rows, skipped = tree.run("colours")
    assert names(rows) == [
        ("train", "blue", "train/blue/1.jpg"), ("train", "grey", "train/grey/2.jpg"),
        ("train", "yellow", "train/yellow/3.jpg"),
    ]  # fmt: skip
    assert len(skipped) == 1
    refused(skipped, "turquoise", "not one of the eleven")
    tree.loads()


def test_artworks(tree, refused):
    """The photos are the same in every package and count once."""
    for package in ("monet2photo", "ukiyoe2photo"):
        for name in ("trainA/00001.jpg", "trainB/2014.jpg", "testA/00002.jpg", "testB/2015.jpg"):
            tree.image(f"{package}/{name}")
    tree.write("monet2photo/trainA/00003.jpg", "no image")
    tree.image("notes/x.jpg")
    rows, skipped = tree.run("artworks")
    assert names(rows) == [
        ("test", "monet", "test/monet/00002.jpg"), ("test", "photo", "test/photo/2015.jpg"),
        ("test", "ukiyoe", "test/ukiyoe/00002.jpg"), ("train", "monet", "train/monet/00001.jpg"),
        ("train", "photo", "train/photo/2014.jpg"), ("train", "ukiyoe", "train/ukiyoe/00001.jpg"),
    ]  # fmt: skip
    assert len(skipped) == 2
    refused(skipped, "notes", "no trainA")
    refused(skipped, "trainA/00003.jpg")
    tree.loads()


def test_one_package_of_artworks(tree):
    tree.src = tree.src / "horse2zebra"
    for name in ("trainA/1.jpg", "trainB/2.jpg"):
        tree.image(name)
    rows, _ = tree.run("artworks")
    assert [row["domain"] for row in rows] == ["horse", "zebra"]
    tree.src.rename(tree.src.with_name("maps"))
    with pytest.raises(UserError, match="must be named A2B"):
        import_family("artworks", tree.src.with_name("maps"), tree.out.with_name("again"))
