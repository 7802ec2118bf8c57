"""MORPH: young and old, with attributes."""

import pytest

from dragoman.data.adapters import import_family
from dragoman.errors import UserError

HEADER = "id_num,picture_num,dob,doa,race,gender,facial_hair,age,age_diff,glasses,photo"


def line(person, race, gender, age, photo):
    return f"{person},1,01/01/1970,01/01/2000,{race},{gender},0,{age},0,0,Album2/{photo}"


def test_rows(tree, refused):
    lines = [
        line("009055", "B", "M", 54, "009055_1M54.JPG"),
        line("009056", "W", "F", 29, "009056_0F29.JPG"),
        line("009057", "H", "F", 35, "009057_0F35.JPG"),  # between the limits
        line("009058", "O", "M", 20, "009058_0M20.JPG"),  # left out as in the thesis
        line("009059", "A", "M", 40, "009059_0M40.JPG"),
        line("009060", "W", "X", 20, "009060_0X20.JPG"),
        line("009061", "W", "F", "", "009061_0F20.JPG"),
        line("009062", "W", "F", 20, "009062_0F20.JPG"),  # no such file
        "009063,1,short",
    ]
    for text in lines[:7]:
        path = f"Album2/{text.split('/')[-1]}"
        tree.image(f"{path}.png")
        (tree.src / f"{path}.png").rename(tree.src / path)
    tree.write("morph_2008_nonCommercial.csv", "\n".join([HEADER, *lines]))
    rows, skipped = tree.run("morph")
    assert rows == [
        {"file_name": "train/old/009055_1M54.JPG", "domain": "old",
         "attributes": {"age": 54, "male": 1, "race": 1, "person": 9055}},
        {"file_name": "train/young/009056_0F29.JPG", "domain": "young",
         "attributes": {"age": 29, "male": 0, "race": 3, "person": 9056}},
        {"file_name": "train/old/009059_0M40.JPG", "domain": "old",
         "attributes": {"age": 40, "male": 1, "race": 0, "person": 9059}},
    ]  # fmt: skip
    assert len(skipped) == 4
    refused(skipped, "csv line 7", "gender")
    refused(skipped, "csv line 8", "age")
    refused(skipped, "csv line 9", "no file")
    refused(skipped, "csv line 10", "3 cells")
    data = tree.loads()
    assert data.task.domains == ("old", "young") and data.attributes["male"].tolist() == [1, 0, 1]


def test_columns_are_needed(tree):
    tree.write("morph_2008_nonCommercial.csv", "id_num,photo\n1,a.JPG\n")
    with pytest.raises(UserError, match="no column 'race'"):
        import_family("morph", tree.src, tree.out)
