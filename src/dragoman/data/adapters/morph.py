"""MORPH album 2: young and old faces, with gender and ethnicity (Ricanek and Tesafaye, 2006; thesis section 5.6.1)."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dragoman.data.adapters import found as f

LAYOUT = "morph_2008_nonCommercial.csv (columns id_num, race, gender, age, photo) and the photos it names, Album2/*.JPG"
ORIGIN = "uncw.edu/oic/tech/morph.html, for a fee (academic, non-commercial licence)"
YOUNG, OLD = 30, 40
"""Under 30 is young, from 40 on old; the thesis gives no limits. Ages between belong to neither."""
RACES = {"A": 0, "B": 1, "H": 2, "W": 3}
"""Asian, Black, Hispanic, White; O (other) is left out, as in the thesis."""


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with the domain young or old and the attributes age, male, race and person, all train: there is no split."""
    table = src / "morph_2008_nonCommercial.csv"
    for where, cells in f.table(table, ("id_num", "race", "gender", "age", "photo"), skip):
        person, race, gender, age, photo = cells
        if not (person.isdecimal() and age.isdecimal()) or gender not in ("F", "M") or race not in (*RACES, "O"):
            skip(f"{where}: id_num and age must be numbers, gender F or M, race one of A B H O W; got {cells[:4]}")
            continue
        if race == "O" or YOUNG <= int(age) < OLD:
            continue
        domain = "young" if int(age) < YOUNG else "old"
        name = f"train/{domain}/{PurePosixPath(photo).name}"
        attributes = {"age": int(age), "male": int(gender == "M"), "race": RACES[race], "person": int(person)}
        yield from f.found(skip, where, {name: src / photo}, file_name=name, domain=domain, attributes=attributes)
