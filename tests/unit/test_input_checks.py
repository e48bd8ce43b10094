"""Are the images, the weights and the container images of a config there?"""

from pathlib import Path

import pytest
from configs import load

from fewlabels.workflow.containers import checksum_file, image_file, record_checksum
from fewlabels.workflow.experiment import plan_experiment
from fewlabels.workflow.input_checks import check_containers, check_datasets, check_weights
from fewlabels.workflow.raw_data import RawData

ONE_ARM = """
experiment: {arms: [resnet], crossed: {replicates: [], fractions: []}}
table: {figures: {figure4: resnet}}
"""
URL = "https://weights.example/models/net-0123.pth"


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """Gives a config's raw data and experiment, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def raw(overlay: str = "") -> tuple:
        config = load(ONE_ARM, overlay)
        return RawData(config, "resources"), plan_experiment(config)

    return raw


def messages(findings) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in findings:
        found.setdefault(one.level, []).append(one.message)
    return found


def test_missing_folders_are_faults_with_their_keys(raw):
    found = messages(check_datasets(*raw(), {"pathvars.results": "results"}))
    [line] = found["fault"]
    assert "data/WBC_100 does not exist" in line and "datasets.wbc.folder" in line
    assert "ok" not in found


def test_folders_that_are_there_are_told(raw):
    Path("data/WBC_100").mkdir(parents=True)
    found = messages(check_datasets(*raw(), {"pathvars.results": "results"}))
    assert found == {"ok": ["wbc: data/WBC_100"]}
    found = messages(check_datasets(*raw(), {"pathvars.results": "data/WBC_100/results"}))
    assert "pathvars.results" in found["fault"][0]


def test_drawn_images_need_no_folder(raw):
    found = messages(check_datasets(*raw("synthetic: {draw: true}"), {}))
    assert found == {"ok": ["wbc: drawn by the workflow"]}


def test_given_subsets_are_looked_for(raw):
    Path("data/WBC_100").mkdir(parents=True)
    Path("data/WBC_10").mkdir()
    found = messages(check_datasets(*raw("subsets: {source: given, fractions: [100, 10, 1]}"), {}))
    assert found["ok"] == ["wbc: data/WBC_100", "data/WBC_10"]
    assert "subsets.given.1 " in found["fault"][0]


@pytest.mark.parametrize("why", ["", "timed out"])
def test_weights_to_download_need_their_server(raw, why):
    asked = []

    def reach(address):
        asked.append(address)
        return why

    known = {"imagenet_resnet18": {"url": URL, "file": "net-0123.pth"}}
    [found] = check_weights(*raw(), Path("resources"), known, reach)
    assert asked == [URL]
    assert found.level == ("fault" if why else "ok")
    assert "weights.example" in found.text
    assert not why or f"put the file of {URL} into resources/downloads/" in found.remedy


@pytest.mark.parametrize(
    ("weights", "file", "level", "part"),
    [
        ("random", None, "ok", "random, no network"),
        ("default", "resources/weights/imagenet_resnet18_224_default.pth", "ok", "downloaded"),
        ("default", "resources/downloads/net-0123.pth", "ok", "downloaded"),
        ("own file; x.pth", "own file; x.pth", "ok", "own file; x.pth, no network"),
        ("own.pth", None, "fault", "'own.pth', which is no file"),
    ],
)
def test_weights_that_are_there_need_no_network(raw, weights, file, level, part):
    if file:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()

    def reach(address):
        raise AssertionError(f"{address} is asked for")

    known = {"imagenet_resnet18": {"url": URL, "file": "net-0123.pth"}}
    overlay = f'backbones: {{imagenet_resnet18: {{weights: "{weights}"}}}}'
    [found] = check_weights(*raw(overlay), Path("resources"), known, reach)
    assert (found.level, part in found.text) == (level, True)


def test_what_the_library_says_of_weights_is_told_with_the_key(raw):
    known = {"imagenet_resnet18": {"error": "there are none"}}
    [found] = check_weights(*raw(), Path("resources"), known, str)
    assert found.message == "key 'backbones.imagenet_resnet18': there are none"
    assert found.level == "fault"
    assert check_weights(*raw(), Path("resources"), {}, str)[0].level == "ok"


def test_container_images_are_missed_where_they_are_wanted(tmp_path):
    for name in (
        "containers/tools.def",
        "containers/torch.def",
        "envs/tools.lock",
        "envs/torch.lock",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    choices = {"torch": "docker://somewhere/torch", "tools": "locked"}
    assert [one.level for one in check_containers(tmp_path, choices, True)] == ["fault", "ok"]
    assert [one.level for one in check_containers(tmp_path, choices, False)] == ["ok", "ok"]
    image = tmp_path / image_file(tmp_path, "tools", "debian")
    image.write_bytes(b"image")
    record_checksum(image)
    found = check_containers(tmp_path, choices, True)
    assert found[0].text.endswith("built, its sha256 is right")
    assert found[1].text.endswith("an address, not tried")
    checksum_file(image).write_text(f"{'0' * 64}  x\n")
    assert "is damaged" in check_containers(tmp_path, choices, True)[0].text
