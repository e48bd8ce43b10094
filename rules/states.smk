# What raw files contain, and the names of what is made of them. No rules here.
from fewlabels.workflow.image_states import Contents, state_name

CONTENT_CACHE = ".snakemake/fewlabels/content_hashes"
CONTENTS = Contents(
    Path(CONTENT_CACHE),
    Path(f".snakemake/fewlabels/{state_name({'results': pathvar('results')})}.json"),
    workflow.is_main_process,
)


def hash_of_images(folder, dataset):
    try:
        return CONTENTS.of(folder, layout_of(dataset))
    except UserError as error:
        sys.exit(f"error: {error}")


@cache
def content_of(dataset):
    """Names the state of a data set's files, and all else that its index is made by. Synthetic images have their
    manifest as an input instead."""
    if is_drawn(dataset):
        return "drawn"
    return state_name(
        {
            "content": hash_of_images(checked_folder(dataset), dataset),
            "layout": layout_of(dataset).plain(),
            "external": dataset in EXTERNAL,
            "split_seed": CONFIG.experiment.split_seed,
            "max_megapixels": CONFIG.images.max_megapixels,
        }
    )


def content_flags(wildcards):
    """With these a job that read all files checks that they are still what the run began with."""
    if is_drawn(wildcards.dataset):
        return ""
    found = hash_of_images(raw_folder(wildcards), wildcards.dataset)
    return f"--content {found} --content-cache {CONTENT_CACHE}"


def state_of(dataset, file):
    """A file of the state that a data set is in."""
    return f"<results>/images/states/{dataset}_{content_of(dataset)}/{file}"


def state_files(file):
    """A file of every data set in use."""
    return lambda wildcards: [state_of(name, file) for name in [*DATASETS, *EXTERNAL]]


# In the order of the outputs of publish_images.
PUBLISHED = [
    *("index.csv", "problems.csv", "left_out.csv", "reading.json"),
    *("images.npy", "images.csv", "masks.npy", "masks.csv"),
]


def published_states(wildcards):
    return [state_of(wildcards.dataset, file) for file in PUBLISHED]


# What all training waits for, without being rerun by it (`ancient`).
HEEDED = ["<results>/leakage/heeded.txt", "<results>/networks/heeded.txt"]


def given_content(fraction):
    """Names a given subset after what its folder contains, so that a fault in it leaves the subset of before."""
    if not is_given(fraction):
        return ""
    return f"_{hash_of_images(given_folder_of(fraction), TARGET)[:12]}"


def given_listing(wildcards):
    """Reruns a given subset that was asked for without its content in the name."""
    return "" if wildcards.given else given_content(wildcards.fraction)


def given_contents(wildcards):
    """What the names of given subsets end in, as JSON."""
    return as_json({name: given_content(name) for name in filter(is_given, FRACTIONS)})


def subset_of(run):
    """The table of the images that a run trains on."""
    return f"<results>/{run.subset(given_content(run.fraction))}"
