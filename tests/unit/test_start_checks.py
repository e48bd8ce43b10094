"""Where the workflow writes, and tables of true types, are looked at before the first job."""

import pytest

from fewlabels.core.errors import UserError
from fewlabels.data.layouts import Layout
from fewlabels.workflow.start_checks import check_places, check_true_types


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Checks one folder to write to against one folder of images, both relative to a fresh folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/cells").mkdir(parents=True)
    (tmp_path / "link").symlink_to("data/cells")

    def check(to: str, source: str, key: str = "pathvars.results") -> None:
        check_places({key: to}, {"datasets.cells.folder": source})

    return check


@pytest.mark.parametrize(
    ("to", "source"),
    [
        ("results", "data/cells"),
        ("data/cells2", "data/cells"),
        ("data/results", "data/cells"),
        ("data", "elsewhere"),
    ],
)
def test_folders_beside_each_other_are_fine(check, to, source):
    check(to, source)


@pytest.mark.parametrize(
    ("to", "source"),
    [
        ("data/cells", "data/cells"),
        ("data/cells/results", "data/cells"),
        ("./data/../data/cells/a/b", "data/cells/"),
        ("link/results", "data/cells"),
        ("data/cells/results", "link"),
        ("results", "."),
    ],
)
def test_results_in_a_folder_of_images_are_refused(check, to, source):
    with pytest.raises(UserError) as caught:
        check(to, source)
    text = str(caught.value)
    assert text.startswith(f"config: key 'pathvars.results' is '{to}', which lies in the folder of")
    assert "'datasets.cells.folder'" in text
    assert "choose a folder outside" in text


@pytest.mark.parametrize("key", ["pathvars.results", "pathvars.logs", "pathvars.benchmarks"])
def test_images_where_the_workflow_writes_are_refused(check, key):
    with pytest.raises(UserError, match=f"'datasets.cells.folder' leads to link.* in '{key}'"):
        check("data", "link", key)


def test_images_may_lie_in_resources_but_not_resources_in_images(check):
    check("data", "data/cells", "pathvars.resources")
    with pytest.raises(UserError, match=r"pathvars\.resources"):
        check("data/cells", "data/cells", "pathvars.resources")


@pytest.fixture
def types(tmp_path):
    """Checks a table of types of the images a/b.jpg and c.png, in a folder or in a table."""
    (tmp_path / "set/a").mkdir(parents=True)
    for name in ("a/b.jpg", "c.png", "notes.txt"):
        (tmp_path / "set" / name).write_bytes(b"")
    (tmp_path / "set/list.csv").write_text("path,split\na/b.jpg,train\nc.png,test\n")

    def types(text: str, **layout) -> list[str]:
        (tmp_path / "types.csv").write_text(text)
        layout = layout or {"folder": "set"}
        path = str(tmp_path / "types.csv")
        return check_true_types(
            "datasets.x.true_types", path, str(tmp_path / "set"), Layout(**layout)
        )

    return types


@pytest.mark.parametrize("layout", [{}, {"table": "list.csv"}])
def test_types_are_those_of_a_folder_or_a_table(types, layout):
    assert types("id;type\nb.jpg;x\nc;y\nnotes;z\nd;z\n", **layout) == ["notes", "d"]
    with pytest.raises(UserError, match=r"^config: key 'datasets\.x\.true_types': .*names none of"):
        types("id,type\nd,z\n", **layout)


def test_a_table_that_cannot_be_read_is_told_with_its_key(types):
    with pytest.raises(
        UserError, match=r"^config: key 'datasets\.x\.true_types': .*no column 'id'"
    ):
        types("name,type\nb,x\n")
