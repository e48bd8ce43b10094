# Inputs and parameters of single rules: activations, the leakage audit, evaluation. No rules here.


def activations_parts(arm, replicate):
    """All images in one file, or, where no run trains on all, the test images and each replicate's largest
    subset apart."""
    parts = (
        ["all"]
        if "100" in FRACTIONS
        else ["test", f"replicate{seeds_of(replicate)[0]}"]
    )
    return [part + split_suffix(arm) for part in parts]


def activations_index(wildcards):
    suffix = "_grouped" if wildcards.part.endswith("_grouped") else ""
    return f"<results>/images/wbc{suffix}_index.csv"


def activations_subset(wildcards):
    part, grouped, _ = wildcards.part.partition("_grouped")
    if part in ("all", "test"):
        return []
    largest = max(FRACTIONS, key=float)
    return f"<results>/subsets/{part}/wbc_{largest}{grouped}.csv"


def activations_masked_images(wildcards):
    return masked_images("wbc", "off" if wildcards.pixels == "plain" else "use")


def activations_masked_ids(wildcards):
    return masked_ids("wbc", "off" if wildcards.pixels == "plain" else "use")


def activations_images_flags(wildcards, input):
    """Which images, and in which views: training draws them, test images are taken as they are."""
    training = config["classification"]
    part = wildcards.part.removesuffix("_grouped")
    flags = {
        "--test": part in ("all", "test"),
        "--train": part == "all",
        "--flips": training["flips"] and part != "test",
    }
    rotation = training["rotation"] if part != "test" else "none"
    return " ".join(
        [
            *(name for name, given in flags.items() if given),
            flag("--subset", input.subset),
            f"--rotation {rotation}",
        ]
    )


def activations_budget_flag(wildcards):
    always = config["compute"]["activations"] == "always"
    return flag("--budget-gb", None if always else config["compute"]["activations_gb"])


def arm_activations(wildcards):
    """What the frozen blocks of an arm's encoders make of its images, computed once."""
    countless = config["classification"]["rotation"] == "any"
    if config["compute"]["activations"] == "off" or countless:
        return []
    pixels = "plain" if arm_masks(wildcards) == "off" else "masked"
    convolutions = len(config["pretraining"]["prcc_autoencoder"]["channels"])
    frozen = {
        choice["encoder"]: last_frozen_block(
            choice["trained"], blocks_of(choice["encoder"], convolutions)
        )
        for choice in config["arms"][wildcards.arm]["encoders"]
    }
    return [
        f"<results>/activations/{part}/{encoder}_{block}_{pixels}.npy"
        for encoder, block in frozen.items()
        if block
        for part in activations_parts(wildcards.arm, wildcards.replicate)
    ]


def activations_flag(wildcards, input):
    return " ".join(["--activations", *map(shlex.quote, input.activations)])


def leakage_policy(wildcards):
    kinds = ("bytes", "pixels", "near_duplicates", "slide", "field")
    return as_json({kind: config["leakage"][kind] for kind in kinds})


def audited_grouped_index(wildcards):
    grouped = "grouped" in config["experiment"]["splits"]
    return "<results>/images/wbc_grouped_index.csv" if grouped else []


def grouped_index_flag(wildcards, input):
    return flag("--grouped-index", input.grouped_index)


def figure_arm(wildcards):
    return config["table"]["figures"][wildcards.figure]


def arm_with_title(arm):
    return f"{arm}, {config['arms'][arm]['title']}"


def figure_title(wildcards):
    name = re.sub(r"^figure(\d+)$", r"Figure \1", wildcards.figure)
    return f"{name}: {arm_with_title(figure_arm(wildcards))}"


def confusion_title(wildcards):
    return arm_with_title(wildcards.arm)


def figure_histories(wildcards):
    return collect(
        "<results>/history/replicate{replicate}/{arm}_wbc_{fraction}.csv",
        fraction=FRACTIONS,
        replicate=REPLICATES,
        arm=figure_arm(wildcards),
    )


def figure_fractions(wildcards):
    return [fraction for fraction in FRACTIONS for _ in REPLICATES]


def of_every_run(folder, ending="csv"):
    return collect(
        f"<results>/{folder}/replicate{{replicate}}/{{arm}}_wbc_{{fraction}}.{ending}",
        arm=ARMS,
        fraction=FRACTIONS,
        replicate=REPLICATES,
    )


def of_every_crossed_run(folder, ending="csv"):
    return collect(
        f"<results>/{folder}/replicate{{replicate}}/{{arm}}_wbc_{{fraction}}.{ending}",
        arm=ARMS,
        fraction=CROSSED_FRACTIONS,
        replicate=CROSSED_RUNS,
    )


def results_folder(wildcards):
    return pathvar("results")


def records_folder(wildcards):
    return f"{pathvar('results')}/records"


def benchmarks_folder(wildcards):
    return pathvar("benchmarks").replace("<results>", pathvar("results"))


def baseline_of():
    """Arms on another split than the baseline's are compared with that split's baseline."""
    baseline = f"{config['statistics']['baseline']}Grouped"
    return {arm: baseline for arm in ARMS if split_suffix(arm) and arm != baseline}


def external_predictions(wildcards):
    return collect(
        "<results>/predictions/replicate{replicate}/{arm}_wbc_{fraction}_on_{external}.csv",
        arm=ARMS,
        fraction=FRACTIONS,
        replicate=REPLICATES,
        external=EXTERNAL,
    )


def external_flags(wildcards, input):
    """External test sets and their indexes, or nothing."""
    if not EXTERNAL:
        return ""
    indexes = " ".join(map(shlex.quote, input.external_indexes))
    return f"--external {' '.join(EXTERNAL)} --external-indexes {indexes}"


def containers_in_use():
    if DeploymentMethod.APPTAINER not in workflow.deployment_settings.deployment_method:
        return []
    return [TOOLS_IMAGE, TORCH_IMAGE]
