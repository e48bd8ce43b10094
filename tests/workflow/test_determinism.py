"""Two runs with one seed on the CPU write the same bytes, images and all, drawn anew."""


def test_two_runs_are_byte_identical(finished, make_copy):
    second = make_copy()
    second.run()
    compared = 0
    for pattern in ("summary.*", "predictions/**/*.csv", "history/**/*.csv", "clusters/*.csv"):
        for path in sorted((finished.folder / "results").glob(pattern)):
            name = path.relative_to(finished.folder)
            if "twoTissues" in path.name:  # of another test
                continue
            assert (second.folder / name).read_bytes() == path.read_bytes(), name
            compared += 1
    assert compared == 2 + (6 + 3) + (6 + 3) + 2
