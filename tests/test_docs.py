"""The documentation cannot rot: its links, names, commands, equation tables, counts and examples are checked."""

import ast
import contextlib
import json
import re
import shlex
from functools import lru_cache
from pathlib import Path

import pytest
import torch

from dragoman import cli, methods, recipes, worlds
from dragoman.data.batch import Task
from dragoman.data.manifest import Row
from dragoman.data.modal import ModalFolder

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
METHODS = methods.names()

every_page = pytest.mark.parametrize("page", PAGES, ids=NAMES)
every_method = pytest.mark.parametrize("method", METHODS)


def fences(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page as (language, text)."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.M | re.S)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)


def spans(page: Path) -> list[str]:
    """The inline code of a page."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def tables(page: Path) -> list[list[list[str]]]:
    """The tables of a page as rows of cells, the header first and without the line below it."""
    found: list[list[list[str]]] = []
    inside = False
    for line in prose(page).splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        if not inside:
            found.append([])
            inside = True
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            found[-1].append(cells)
    return found


def page_of(method: str) -> Path:
    return ROOT / "docs" / f"{method}.md"


def located(name: str) -> Path:
    """A file as the pages name it: from the root of the repository, or from the package."""
    return next((p for p in (ROOT / name, ROOT / "src" / "dragoman" / name) if p.exists()), ROOT / name)


@lru_cache
def defined(path: Path) -> set[str]:
    """The functions, classes, methods and fields that a file defines, dotted."""
    found: set[str] = set()

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(prefix + node.target.id)

    visit(ast.parse(path.read_text()).body, "")
    return found


def missing(reference: str) -> str:
    """Why `file::name` does not exist; "" if it does."""
    file, _, name = reference.partition("::")
    path = located(file)
    if not path.is_file():
        return f"{reference}: there is no file {file}"
    return "" if name in defined(path) else f"{reference}: {file} does not define {name}"


def commands(page: Path) -> list[list[str]]:
    """Every `dragoman ...` of a page, in blocks and inline, as the words after it; inline may be a bare name."""
    lines = [span for span in spans(page) if span.startswith("dragoman ") and span[9:] not in cli.COMMANDS]
    for language, text in fences(page):
        if language in ("bash", "sh", "console"):
            lines += text.replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        words = shlex.split(line, comments=True)
        places = [n for n, word in enumerate(words) if Path(word).name == "dragoman"]
        if places:
            found.append(words[places[0] + 1 :])
    return found


def parse(words: list[str]) -> None:
    """Hand a command line to the parser that the program uses, without running it; a UserError says what is wrong."""
    name = " ".join(words[:2]) if words[0] == "data" else words[0]
    assert name in cli.COMMANDS, f"there is no command dragoman {name}"
    rest = [word for word in words[len(name.split()) :] if word != "--help"]
    if name == "data make":
        if rest:
            world = worlds.find(rest.pop(0))
            out = rest and not rest[0].startswith("-") and rest.pop(0)
            assert out or "--help" in words, "data make needs a folder to write"
            cli._parse(world, [word for word in rest if word != "--json"], name)
        return
    if name != "train":
        cli._parse(cli._deferred(cli.COMMANDS[name][0]), rest, name)
        return
    for flag, value in re.findall(r"^  (--[\w-]+)( [A-Z]+)?", cli.TRAIN_HELP, re.M):
        given = cli._take(rest, flag, value=bool(value))
        if flag == "--config" and given:
            rest.insert(0, "sdit.digits")  # some recipe: the file is not there
    if rest:
        base = recipes.find(rest.pop(0))
        cli._parse(type(base), rest, name, default=base)


@every_page
def test_relative_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), f"{page.name} links to {target}, which does not exist"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", prose(path), re.M)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name} links to {target}; {path.name} has no such heading"


@every_page
def test_named_files_and_what_is_in_them_exist(page):
    for span in spans(page):
        if re.fullmatch(r"[\w./-]+\.py::[\w.]+", span):
            assert not missing(span), missing(span)
        elif re.fullmatch(r"[\w/-]+\.py|(src|tests|docs|evidence|benchmarks)(/[\w./-]*)?", span):
            assert located(span).exists(), f"{page.name} names {span}, which does not exist"


@every_page
def test_commands_are_understood(page):
    for words in commands(page):
        parse(words)


def test_the_check_of_commands_finds_mistakes():
    for wrong in (
        ["trian", "sdit.digits"],
        ["train", "sdit.digit"],
        ["train", "sdit.digits", "--method.w-rek", "5"],
        ["train", "stargan.digits", "--method.w-lat", "5"],
        ["translate", "runs/demo/model", "in.png", "--out", "out"],
        ["data", "check", "photos", "--jsn"],
    ):
        with pytest.raises((AssertionError, ValueError)):
            parse(wrong)


@every_page
def test_other_commands_exist(page):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    text = "\n".join([*(text for _, text in fences(page)), *spans(page)])
    for target in re.findall(r"^make (\w+)", text, re.M):
        assert target in targets, f"{page.name}: there is no make {target}"
    for script in re.findall(r"python (\S+\.py)", text):
        assert (ROOT / script).is_file(), f"{page.name}: there is no {script}"


def test_options_in_the_text_exist(capsys):
    known = set(re.findall(r"--[\w-]+", cli.TRAIN_HELP))
    for name in recipes.names():
        for part, values in recipes.find(name):
            fields = type(values).model_fields if hasattr(type(values), "model_fields") else {}
            for field in fields:
                known |= {f"--{part}.{no}{field.replace('_', '-')}" for no in ("", "no-")}
                for inner in getattr(type(getattr(values, field)), "model_fields", {}):
                    known.add(f"--{part}.{field.replace('_', '-')}.{inner.replace('_', '-')}")
    for command in cli.COMMANDS:
        with contextlib.suppress(SystemExit):
            cli.main([*command.split(), "--help"])
        known |= set(re.findall(r"--[\w-]+", capsys.readouterr().out))
    for world in worlds.WORLDS.values():
        known |= {f"--{field.replace('_', '-')}" for field in world.model_fields}
    for page in PAGES:
        for span in spans(page):
            for option in re.findall(r"^(--[\w.-]+)", span):
                assert option in known, f"{page.name} names the option {option}, which no command has"


@every_method
def test_every_equation_names_its_function_and_its_test(method):
    found = [table for table in tables(page_of(method)) if table[0][0] == "Eq."]
    assert found, f"docs/{method}.md has no table of equations"
    for header, *rows in found:
        assert header[-2:] == ["function", "test"]
        for row in rows:
            functions, tests = (re.findall(r"`([^`]+)`", cell) for cell in row[-2:])
            assert functions, f"Eq. {row[0]} of docs/{method}.md names no function"
            assert tests, f"Eq. {row[0]} of docs/{method}.md names no test"
            for reference in tests:
                assert re.match(r"tests/.*::test_\w+$", reference), f"{reference} is not a test"
            for reference in functions + tests:
                assert not missing(reference), f"Eq. {row[0]} of docs/{method}.md: {missing(reference)}"


@every_method
def test_layer_tables_add_up_to_the_published_networks(method):
    """Five attributes at 128 x 128; two domains, or one for a generator, at the recipe's size; modalities."""
    (table,) = (table for table in tables(page_of(method)) if table[0][-1] == "parameters")
    experiment, kind = recipes.find(f"{method}.paper"), methods.find(method)
    task = Task(domains=tuple("abcde"), exclusive=False, size=128)
    if kind.generates:
        task = (
            experiment.data.task
            if hasattr(experiment.data, "task")
            else Task(domains=("a",), size=experiment.data.size)
        )
    elif isinstance(experiment.data, ModalFolder):
        task = recipes.find(f"{method}.tiny").data.task.model_copy(update={"size": experiment.data.size})
    elif kind.by_domain:
        task = Task(domains=("a", "b"), size=experiment.data.size)
    with torch.device("meta"):
        built = kind(experiment.method, task)
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in built.named_children()}
    rows = [(cells[0], cells[1], int(re.sub(r"\D", "", cells[-1]))) for cells in table[1:]]
    assert {name: count for name, layer, count in rows if layer == "total"} == counts
    for network, total in counts.items():
        assert sum(count for name, layer, count in rows if name == network and layer != "total") == total


@every_method
def test_every_method_and_recipe_is_described(method):
    readme = (ROOT / "README.md").read_text()
    assert f"(src/dragoman/methods/{method}.py)" in readme
    assert f"(docs/{method}.md)" in readme
    for recipe in recipes.names():
        if recipe.startswith(f"{method}."):
            assert f"`{recipe}`" in page_of(method).read_text(), f"docs/{method}.md does not name {recipe}"


def test_recipes_in_the_tables_exist():
    for method in METHODS:
        for header, *rows in tables(page_of(method)):
            if header[0] == "recipe":
                assert {row[0].strip("`") for row in rows} <= set(recipes.names())


def test_the_index_lists_every_page():
    text = (ROOT / "docs" / "index.md").read_text()
    for page in PAGES:
        assert page.name == "index.md" or f"{page.name})" in text, f"docs/index.md does not list {page.name}"


@every_page
def test_python_examples_are_valid_and_excerpts_are_true(page):
    for language, text in fences(page):
        if language != "python":
            continue
        source = re.match(r"# (\S+\.py)\n(.*)", text, re.S)
        if source:
            path, excerpt = ROOT / source[1], source[2]
            assert excerpt in path.read_text(), f"{page.name} shows {source[1]} as it is no longer"
        else:
            compile(text, page.name, "exec")


def test_examples_of_metadata_are_valid():
    lines = [line for language, text in fences(ROOT / "docs" / "data.md") if language == "json"
             for line in text.splitlines()]  # fmt: skip
    assert lines
    for line in lines:
        Row.model_validate(json.loads(line))


def test_the_table_of_metadata_has_every_column():
    (table,) = (t for t in tables(ROOT / "docs" / "data.md") if t[0][0] == "column")
    assert {row[0].strip("`") for row in table[1:]} == set(Row.model_fields)


def test_the_tables_of_phase_and_stage_have_every_field():
    from dragoman.engine.method import Phase, Stage

    for kind in (Phase, Stage):
        (table,) = (t for t in tables(ROOT / "docs" / "engine.md") if t[0][0] == f"`{kind.__name__}`")
        named = {name for row in table[1:] for name in re.findall(r"`(\w+)`", row[0])}
        assert named == set(kind.__dataclass_fields__)
