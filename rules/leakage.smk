# What training and test images share: the audit, the gate that it is for training, and the slide-only control.

AUDITED = [*DATASETS, *EXTERNAL]


rule audit_leakage:
    input:
        script=script_of("audit_leakage"),
        library=library_of("audit_leakage"),
        indexes=collect("<results>/images/{dataset}_index.csv", dataset=AUDITED),
        images=collect("<results>/images/{dataset}.npy", dataset=AUDITED),
        tables=collect("<results>/images/{dataset}.csv", dataset=AUDITED),
        grouped_index=audited_grouped_index,
    output:
        pairs="<results>/leakage/pairs.csv",
        report="<results>/leakage/leakage.md",
        thumbnails="<results>/leakage/thumbnails.png",
    log:
        "<logs>/audit_leakage/audit_leakage.log",
    benchmark:
        "<benchmarks>/audit_leakage/audit_leakage.tsv"
    priority: PRIORITY["images"]
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        datasets=AUDITED,
        target=TARGET,
        external=EXTERNAL,
        grouped_index=grouped_index_flag,
        distance=CONFIG.leakage.near_duplicate_distance,
        correlation=CONFIG.leakage.near_duplicate_correlation,
    shell:
        "python {input.script:q}"
        " --datasets {params.datasets}"
        " --indexes {input.indexes:q}"
        " --images {input.images:q}"
        " --target {params.target}"
        " --external {params.external}"
        " {params.grouped_index}"
        " --distance {params.distance}"
        " --correlation {params.correlation}"
        " --pairs {output.pairs:q}"
        " --report {output.report:q}"
        " --thumbnails {output.thumbnails:q}"
        " > {log:q} 2>&1"


# A rule of its own: outputs of a rule that fails are deleted, and the findings must stay. All training waits
# for it, but is not rerun by it (`ancient`).
rule check_leakage:
    input:
        script=script_of("check_leakage"),
        library=library_of("check_leakage"),
        pairs="<results>/leakage/pairs.csv",
    output:
        "<results>/leakage/check_leakage.csv",
    log:
        "<logs>/check_leakage/check_leakage.log",
    benchmark:
        "<benchmarks>/check_leakage/check_leakage.tsv"
    priority: PRIORITY["images"]
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        policy=leakage_policy,
    shell:
        "python {input.script:q}"
        " --pairs {input.pairs:q}"
        " --policy {params.policy:q}"
        " --output {output:q}"
        " > {log:q} 2>&1"


rule slide_only:
    input:
        script=script_of("slide_only"),
        library=library_of("slide_only"),
        index=index_of(TARGET),
        checked=ancient("<results>/images/check_datasets.csv"),
    output:
        predictions="<results>/predictions/slide_only.csv",
        table="<results>/leakage/slide_only.csv",
    log:
        "<logs>/slide_only/slide_only.log",
    benchmark:
        "<benchmarks>/slide_only/slide_only.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        target=TARGET,
    shell:
        "python {input.script:q}"
        " --index {input.index:q}"
        " --target {params.target}"
        " --predictions {output.predictions:q}"
        " --table {output.table:q}"
        " > {log:q} 2>&1"


rule split_by_group:
    input:
        script=script_of("split_by_group"),
        library=library_of("split_by_group"),
        index=index_of(TARGET),
        checked=ancient("<results>/images/check_datasets.csv"),
    output:
        grouped_index=index_of(TARGET, "_grouped"),
    log:
        "<logs>/split_by_group/split_by_group.log",
    benchmark:
        "<benchmarks>/split_by_group/split_by_group.tsv"
    priority: PRIORITY["pretraining"]
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        target=TARGET,
        seed=CONFIG.experiment.split_seed,
    shell:
        "python {input.script:q}"
        " --index {input.index:q}"
        " --target {params.target}"
        " --seed {params.seed}"
        " --grouped-index {output.grouped_index:q}"
        " > {log:q} 2>&1"
