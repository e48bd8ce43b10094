# From raw folders to arrays, masked images and subsets. What is made of raw files lies in a folder that is named after
# their contents (`states`), and goes to where all others read it once nothing speaks against it: a fault that is mended
# leaves the files of before, and all behind them, as they were.


localrules:
    check_images,
    check_datasets,
    heed_verdict,
    publish_images,


rule index_images:
    input:
        script=script_of("index_images"),
        library=library_of("index_images"),
        manifest=synthetic_manifest,
    output:
        index="<results>/images/states/{dataset}_{content}/index.csv",
        problems="<results>/images/states/{dataset}_{content}/problems.csv",
        left_out="<results>/images/states/{dataset}_{content}/left_out.csv",
        reading="<results>/images/states/{dataset}_{content}/reading.json",
    log:
        "<logs>/index_images/{dataset}_{content}.log",
    benchmark:
        "<benchmarks>/index_images/{dataset}_{content}.tsv"
    priority: PRIORITY["images"]
    container:
        TOOLS_IMAGE
    threads: 8
    resources:
        mem_mb=memory_to_decode,
        runtime=growing(60),
    params:
        folder=raw_folder,
        content=content_flags,
        layout=layout_json,
        external=external_flag,
        key=section_of_set,
        split_seed=CONFIG.experiment.split_seed,
        max_megapixels=CONFIG.images.max_megapixels,
    shell:
        "python {input.script:q}"
        " --folder={params.folder:q}"
        " {params.content}"
        " --layout {params.layout:q}"
        " --key {params.key}"
        " {params.external}"
        " --split-seed {params.split_seed}"
        " --max-megapixels {params.max_megapixels}"
        " --threads {threads}"
        " --index {output.index:q}"
        " --problems {output.problems:q}"
        " --left-out {output.left_out:q}"
        " --reading {output.reading:q}"
        " > {log:q} 2>&1"


# A step that checks always succeeds and writes its verdict (fewlabels/core/verdict.py): Snakemake deletes the files of
# a step that fails, and remakes all that stands behind a file that is gone, `ancient` or not.
rule check_images:
    input:
        script=script_of("check_images"),
        library=library_of("check_images"),
        problems="<results>/images/states/{dataset}_{content}/problems.csv",
    output:
        table="<results>/images/states/{dataset}_{content}/checked.csv",
        verdict="<results>/images/states/{dataset}_{content}/verdict.txt",
    log:
        "<logs>/check_images/{dataset}_{content}.log",
    benchmark:
        "<benchmarks>/check_images/{dataset}_{content}.tsv"
    priority: PRIORITY["images"]
    container:
        TOOLS_IMAGE
    params:
        policy=as_json(CONFIG.problems.plain()),
    shell:
        "python {input.script:q}"
        " --dataset {wildcards.dataset}"
        " --problems {input.problems:q}"
        " --policy {params.policy:q}"
        " --table {output.table:q}"
        " --verdict {output.verdict:q}"
        " > {log:q} 2>&1"


rule check_datasets:
    input:
        script=script_of("check_datasets"),
        library=library_of("check_datasets"),
        tables=state_files("checked.csv"),
    output:
        "<results>/images/check_datasets.csv",
    log:
        "<logs>/check_datasets/check_datasets.log",
    benchmark:
        "<benchmarks>/check_datasets/check_datasets.tsv"
    priority: PRIORITY["images"]
    container:
        TOOLS_IMAGE
    shell:
        "python {input.script:q}"
        " --tables {input.tables:q}"
        " --output {output:q}"
        " > {log:q} 2>&1"


# Fails with the line of a check that says stop. What stands behind the check takes this rule's file (`ancient`), and so
# is not started; a file that is missing is put back at the next start (fewlabels/workflow/heeded.py).
rule heed_verdict:
    input:
        script=script_of("heed_verdict"),
        library=library_of("heed_verdict"),
        verdict="<results>/{checked}/verdict.txt",
    output:
        "<results>/{checked}/heeded.txt",
    log:
        "<logs>/heed_verdict/{checked}.log",
    benchmark:
        "<benchmarks>/heed_verdict/{checked}.tsv"
    priority: PRIORITY["images"]
    retries: 0
    container:
        TOOLS_IMAGE
    shell:
        "python {input.script:q}"
        " --verdict {input.verdict:q}"
        " --heeded {output:q}"
        " > {log:q} 2>&1"


rule pack_images:
    input:
        script=script_of("pack_images"),
        library=library_of("pack_images"),
        index="<results>/images/states/{dataset}_{content}/index.csv",
        reading="<results>/images/states/{dataset}_{content}/reading.json",
        heeded=ancient("<results>/images/states/{dataset}_{content}/heeded.txt"),
    output:
        images="<results>/images/states/{dataset}_{content}/images.npy",
        table="<results>/images/states/{dataset}_{content}/images.csv",
        masks="<results>/images/states/{dataset}_{content}/masks.npy",
        mask_table="<results>/images/states/{dataset}_{content}/masks.csv",
    log:
        "<logs>/pack_images/{dataset}_{content}.log",
    benchmark:
        "<benchmarks>/pack_images/{dataset}_{content}.tsv"
    priority: PRIORITY["images"]
    container:
        TOOLS_IMAGE
    threads: 8
    resources:
        mem_mb=memory_to_decode,
        runtime=growing(120),
    params:
        folder=raw_folder,
        content=content_flags,
        layout=layout_json,
        size=CONFIG.images.size,
        resize=CONFIG.images.resize,
        max_megapixels=CONFIG.images.max_megapixels,
    shell:
        "python {input.script:q}"
        " --folder={params.folder:q}"
        " {params.content}"
        " --layout {params.layout:q}"
        " --index {input.index:q}"
        " --size {params.size}"
        " --reading {input.reading:q}"
        " --resize {params.resize}"
        " --max-megapixels {params.max_megapixels}"
        " --threads {threads}"
        " --images {output.images:q}"
        " --masks {output.masks:q}"
        " > {log:q} 2>&1"


rule publish_images:
    input:
        script=script_of("publish_images"),
        library=library_of("publish_images"),
        heeded=ancient("<results>/leakage/heeded.txt"),
        files=published_states,
    output:
        index="<results>/images/{dataset}_index.csv",
        problems="<results>/images/{dataset}_problems.csv",
        left_out="<results>/images/{dataset}_left_out.csv",
        reading="<results>/images/{dataset}_reading.json",
        images="<results>/images/{dataset}.npy",
        table="<results>/images/{dataset}.csv",
        masks="<results>/images/{dataset}_masks.npy",
        mask_table="<results>/images/{dataset}_masks.csv",
    log:
        "<logs>/publish_images/{dataset}.log",
    benchmark:
        "<benchmarks>/publish_images/{dataset}.tsv"
    priority: PRIORITY["images"]
    container:
        TOOLS_IMAGE
    shell:
        "python {input.script:q}"
        " --files {input.files:q}"
        " --published {output:q}"
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
        contact_sheet=shown(
            "<results>/masked/{dataset}_contact_sheet.png",
            "masked",
            "Data",
            shows="masks of {dataset}",
        ),
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
        masked_table=subset_masked_table,
    output:
        subset=f"<results>/subsets/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}{{given}}.csv",
    log:
        f"<logs>/draw_subsets/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}{{given}}.log",
    benchmark:
        f"<benchmarks>/draw_subsets/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}{{given}}.tsv"
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
        masked=masked_table_flag,
        validation=validation_flags,
    shell:
        "python {input.script:q}"
        " --index {input.index:q}"
        " --fraction {wildcards.fraction}"
        " --seed {params.seed}"
        " {params.given_folder}"
        " {params.masked}"
        " {params.validation}"
        " --subset {output.subset:q}"
        " > {log:q} 2>&1"
