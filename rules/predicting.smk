# Inputs and parameters of what is predicted for new images. No rules here.


def new_images(wildcards):
    """The folder or table of images to predict."""
    name, declared = wildcards.new_images, CONFIG.new_images
    if name not in declared:
        sys.exit(
            f"error: config: key 'new_images' has no '{name}': {did_you_mean(name, list(declared))}"
        )
    path = os.path.join(data_root(), declared[name])
    if not os.path.exists(path):
        sys.exit(
            f"error: {path} does not exist: set data_root and new_images.{name} in the config to a folder or table"
        )
    return path


def predicting_runs(wildcards):
    """The replicates of an arm and fraction, whose probabilities are averaged."""
    found = [
        run
        for run in TABLED
        if (run.arm, run.fraction) == (wildcards.arm, wildcards.fraction)
    ]
    if not found:
        sys.exit(
            f"error: config: {wildcards.arm} is not trained at {wildcards.fraction} %: name one of experiment.arms "
            f"({', '.join(ARMS)}) and one of subsets.fractions ({', '.join(FRACTIONS)})"
        )
    return found


def predicting_models(wildcards):
    return [
        f"<results>/{run.path('models', 'pt')}" for run in predicting_runs(wildcards)
    ]


def predicting_mask_networks(wildcards):
    networks = [predicted_masks_of(run, ".pt") for run in predicting_runs(wildcards)]
    return [path for path in networks if path]


def mask_networks_flag(wildcards, input):
    return (
        files_flag("--mask-network", input.mask_networks) if input.mask_networks else ""
    )


def predicting_validation(wildcards):
    """The predictions to which the models' temperatures are fitted; the script finds them beside the models."""
    if SELECTION != "validation":
        return []
    return [f"<results>/{run.path('validation')}" for run in predicting_runs(wildcards)]


def page_flag(wildcards, output):
    return flag("--page", output.page)
