# From raw folders to arrays, masked images and subsets.


rule index_images:
    input:
        script=script_of("index_images"),
        library=library_of("index_images"),
        manifest=synthetic_manifest,
    output:
        index="<results>/images/{dataset}_index.csv",
        problems="<results>/images/{dataset}_problems.csv",
    log:
        "<logs>/index_images/{dataset}.log",
    benchmark:
        "<benchmarks>/index_images/{dataset}.tsv"
    priority: PRIORITY["images"]
    container:
        TOOLS_IMAGE
    threads: 8
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        folder=raw_folder,
        listing=raw_listing,
        layout=layout_json,
        external=external_flag,
        split_seed=CONFIG.experiment.split_seed,
        mask_threshold=CONFIG.masks.threshold,
        max_megapixels=CONFIG.images.max_megapixels,
    shell:
        "python {input.script:q}"
        " --folder {params.folder:q}"
        " --layout {params.layout:q}"
        " {params.external}"
        " --split-seed {params.split_seed}"
        " --mask-threshold {params.mask_threshold}"
        " --max-megapixels {params.max_megapixels}"
        " --threads {threads}"
        " --index {output.index:q}"
        " --problems {output.problems:q}"
        " > {log:q} 2>&1"


# Packing and drawing, and so all training, wait for this rule, but are not rerun by it (`ancient`).
rule check_datasets:
    input:
        script=script_of("check_datasets"),
        library=library_of("check_datasets"),
        problems=collect(
            "<results>/images/{dataset}_problems.csv", dataset=[*DATASETS, *EXTERNAL]
        ),
    output:
        "<results>/images/check_datasets.csv",
    log:
        text="<logs>/check_datasets/check_datasets.log",
        # A log, because outputs are deleted when the rule fails.
        report="<logs>/check_datasets/problems.csv",
    benchmark:
        "<benchmarks>/check_datasets/check_datasets.tsv"
    priority: PRIORITY["images"]
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        datasets=[*DATASETS, *EXTERNAL],
        policy=as_json(CONFIG.problems.plain()),
    shell:
        "python {input.script:q}"
        " --datasets {params.datasets}"
        " --problems {input.problems:q}"
        " --policy {params.policy:q}"
        " --report {log.report:q}"
        " --output {output:q}"
        " > {log.text:q} 2>&1"


rule pack_images:
    input:
        script=script_of("pack_images"),
        library=library_of("pack_images"),
        index="<results>/images/{dataset}_index.csv",
        checked=ancient("<results>/images/check_datasets.csv"),
    output:
        images="<results>/images/{dataset}.npy",
        table="<results>/images/{dataset}.csv",
        masks="<results>/images/{dataset}_masks.npy",
        mask_table="<results>/images/{dataset}_masks.csv",
    log:
        "<logs>/pack_images/{dataset}.log",
    benchmark:
        "<benchmarks>/pack_images/{dataset}.tsv"
    priority: PRIORITY["images"]
    container:
        TOOLS_IMAGE
    threads: 8
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        folder=raw_folder,
        size=CONFIG.images.size,
        resize=CONFIG.images.resize,
        mask_threshold=CONFIG.masks.threshold,
        max_megapixels=CONFIG.images.max_megapixels,
    shell:
        "python {input.script:q}"
        " --folder {params.folder:q}"
        " --index {input.index:q}"
        " --size {params.size}"
        " --resize {params.resize}"
        " --mask-threshold {params.mask_threshold}"
        " --max-megapixels {params.max_megapixels}"
        " --threads {threads}"
        " --images {output.images:q}"
        " --masks {output.masks:q}"
        " > {log:q} 2>&1"


rule apply_masks:
    input:
        script=script_of("apply_masks"),
        library=library_of("apply_masks"),
        index="<results>/images/{dataset}_index.csv",
        images="<results>/images/{dataset}.npy",
        table="<results>/images/{dataset}.csv",
        masks="<results>/images/{dataset}_masks.npy",
        mask_table="<results>/images/{dataset}_masks.csv",
    output:
        masked="<results>/masked/{dataset}.npy",
        table="<results>/masked/{dataset}.csv",
        contact_sheet="<results>/masked/{dataset}_contact_sheet.png",
    log:
        "<logs>/apply_masks/{dataset}.log",
    benchmark:
        "<benchmarks>/apply_masks/{dataset}.tsv"
    priority: PRIORITY["images"]
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        empty=CONFIG.masks.empty,
    shell:
        "python {input.script:q}"
        " --index {input.index:q}"
        " --images {input.images:q}"
        " --masks {input.masks:q}"
        " --empty {params.empty}"
        " --masked {output.masked:q}"
        " --contact-sheet {output.contact_sheet:q}"
        " > {log:q} 2>&1"


rule draw_subsets:
    input:
        script=script_of("draw_subsets"),
        library=library_of("draw_subsets"),
        index=f"<results>/images/{TARGET}{{split}}_index.csv",
        checked=ancient("<results>/images/check_datasets.csv"),
    output:
        subset=f"<results>/subsets/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}.csv",
    log:
        f"<logs>/draw_subsets/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}.log",
    benchmark:
        f"<benchmarks>/draw_subsets/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}.tsv"
    priority: PRIORITY["pretraining"]
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        seed=subset_seed,
        given_folder=given_folder_flags,
        given_listing=given_listing,
        validation=validation_flags,
    shell:
        "python {input.script:q}"
        " --index {input.index:q}"
        " --fraction {wildcards.fraction}"
        " --seed {params.seed}"
        " {params.given_folder}"
        " {params.validation}"
        " --subset {output.subset:q}"
        " > {log:q} 2>&1"
