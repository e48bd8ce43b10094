"""What a run writes stays in its folders."""

from pathlib import Path

from conftest import NEEDED, REPOSITORY


def files_of(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}


def test_a_run_writes_into_its_own_folders_alone(finished):
    brought = set()
    for name in NEEDED:
        path = REPOSITORY / name
        brought |= {name} if path.is_file() else {f"{name}/{file}" for file in files_of(path)}
    made = files_of(finished.folder) - brought
    tops = {Path(name).parts[0] for name in made if "__pycache__" not in name}
    assert {"results", "resources", ".snakemake"} <= tops
    assert tops - {"results", "resources", ".snakemake"} == set()
