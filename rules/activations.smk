# What the frozen blocks of the encoders make of the images, once for all runs that share them.


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


rule compute_activations:
    input:
        script=script_of("compute_activations"),
        library=library_of("compute_activations"),
        checkpoint=lambda wildcards: ENCODER_FILES[wildcards.encoder],
        index=activations_index,
        images="<results>/images/wbc.npy",
        ids="<results>/images/wbc_ids.csv",
        masked=activations_masked_images,
        masked_ids=activations_masked_ids,
        subset=activations_subset,
    output:
        activations="<results>/activations/{part}/{encoder}_{block}_{pixels}.npy",
        header="<results>/activations/{part}/{encoder}_{block}_{pixels}.json",
        record="<results>/records/activations/{part}/{encoder}_{block}_{pixels}.json",
    log:
        "<logs>/compute_activations/{part}/{encoder}_{block}_{pixels}.log",
    benchmark:
        "<benchmarks>/compute_activations/{part}/{encoder}_{block}_{pixels}.tsv"
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        masked=masked_flags,
        images=activations_images_flags,
        budget=activations_budget_flag,
        device=config["compute"]["device"],
        precision=config["compute"]["precision"],
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --encoder {wildcards.encoder}"
        " --checkpoint {input.checkpoint:q}"
        " --last-block {wildcards.block}"
        " --index {input.index:q}"
        " --images {input.images:q}"
        " --ids {input.ids:q}"
        " {params.masked}"
        " {params.images}"
        " {params.budget}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --activations {output.activations:q}"
        " --record {output.record:q}"
        " > {log:q} 2>&1"
