"""What the documents claim about the workflow, compared with the workflow."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
DOCUMENTS += [f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md")]


def rules_of_the_workflow(finished) -> set[str]:
    listed = finished.snakemake("--list-rules", "--configfile", "tests/tiny.yaml").stdout
    return set(re.findall(r"^([a-z]\w+)$", listed, re.M))


def test_the_rule_graph_shows_every_rule(finished):
    picture = (REPOSITORY / "docs/rulegraph.svg").read_text()
    shown = set(re.findall(r"<text[^>]*>(\w+)</text>", picture))
    # Images are built beside the workflow: no other rule waits for them. The other two run where they are asked for.
    optional = {"split_by_group", "predict_external"}
    rules = rules_of_the_workflow(finished) - {"build_container"} - optional
    assert len(rules) > 12
    assert shown == rules, "run `make rulegraph`"


def test_every_rule_has_a_script_of_its_name(finished):
    """All pretraining is by one script, in rules that the config names."""
    scripts = {path.stem for path in (REPOSITORY / "scripts").glob("*.py")}
    rules = rules_of_the_workflow(finished) - {"all"}
    pretraining = {name for name in rules if name.startswith("pretrain_")}
    assert len(pretraining) == 5
    assert scripts == rules - pretraining | {"pretrain"}


def test_the_readme_names_every_make_target_it_tells_to_use():
    readme = (REPOSITORY / "README.md").read_text()
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", readme, re.M))
    assert {"demo", "test"} <= named
    assert named <= targets


def test_links_of_the_documents_lead_somewhere():
    assert len(DOCUMENTS) > 5
    for document in DOCUMENTS:
        text = (REPOSITORY / document).read_text()
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if not target.startswith("http"):
                assert (REPOSITORY / document).parent.joinpath(target).exists(), (
                    f"{document}: {target}"
                )
