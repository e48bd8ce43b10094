# What training and test images share: the audit, the gate that it is for training, and the slide-only control; and what
# became of the raw data.


localrules:
    check_leakage,
    report_data,


AUDITED = [*DATASETS, *EXTERNAL]


rule audit_leakage:
    input:
        script=script_of("audit_leakage"),
        library=library_of("audit_leakage"),
        indexes=state_files("index.csv"),
        images=state_files("images.npy"),
        tables=state_files("images.csv"),
        grouped_index=audited_grouped_index,
    output:
        pairs="<results>/leakage/pairs.csv",
        compared="<results>/leakage/compared.csv",
        report="<results>/leakage/leakage.md",
        thumbnails=shown(
            "<results>/leakage/thumbnails.png",
            "copies",
            "Data",
            shows="images that sets share",
        ),
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
        " --compared {output.compared:q}"
        " --report {output.report:q}"
        " --thumbnails {output.thumbnails:q}"
        " > {log:q} 2>&1"


# A rule of its own, so that another policy looks for nothing anew. It writes its verdict and does not fail; what it says
# on standard output is for the terminal.
rule check_leakage:
    input:
        script=script_of("check_leakage"),
        library=library_of("check_leakage"),
        pairs="<results>/leakage/pairs.csv",
        compared="<results>/leakage/compared.csv",
    output:
        table="<results>/leakage/check_leakage.csv",
        verdict="<results>/leakage/verdict.txt",
    log:
        "<logs>/check_leakage/check_leakage.log",
    benchmark:
        "<benchmarks>/check_leakage/check_leakage.tsv"
    priority: PRIORITY["images"]
    container:
        TOOLS_IMAGE
    params:
        policy=leakage_policy,
        near_duplicate_share=CONFIG.leakage.near_duplicate_share,
    shell:
        "python {input.script:q}"
        " --pairs {input.pairs:q}"
        " --compared {input.compared:q}"
        " --policy {params.policy:q}"
        " --near-duplicate-share {params.near_duplicate_share}"
        " --output {output.table:q}"
        " --verdict {output.verdict:q}"
        " 2> {log:q}"


rule report_data:
    input:
        script=script_of("report_data"),
        library=library_of("report_data"),
        indexes=collect("<results>/images/{dataset}_index.csv", dataset=AUDITED),
        problems=collect("<results>/images/{dataset}_problems.csv", dataset=AUDITED),
        left_out=collect("<results>/images/{dataset}_left_out.csv", dataset=AUDITED),
        readings=collect("<results>/images/{dataset}_reading.json", dataset=AUDITED),
        masked=collect("<results>/masked/{dataset}.csv", dataset=MASKED),
        leakage="<results>/leakage/check_leakage.csv",
    output:
        table=shown(
            "<results>/data.csv",
            "data",
            "Data",
            shows="what became of the raw files",
        ),
        report="<results>/data.md",
    log:
        "<logs>/report_data/data.log",
    benchmark:
        "<benchmarks>/report_data/data.tsv"
    priority: PRIORITY["images"]
    container:
        TOOLS_IMAGE
    params:
        datasets=AUDITED,
        target=TARGET,
        masked=MASKED,
    shell:
        "python {input.script:q}"
        " --target {params.target}"
        " --datasets {params.datasets}"
        " --indexes {input.indexes:q}"
        " --problems {input.problems:q}"
        " --left-out {input.left_out:q}"
        " --readings {input.readings:q}"
        " --masked {params.masked}"
        " --masked-tables {input.masked:q}"
        " --leakage {input.leakage:q}"
        " --table {output.table:q}"
        " --report {output.report:q}"
        " > {log:q} 2>&1"


rule slide_only:
    input:
        script=script_of("slide_only"),
        library=library_of("slide_only"),
        index=index_of(TARGET),
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
        index="<results>/images/{place}index.csv",
        heeded=heeded_of_place,
    output:
        grouped_index="<results>/images/{place}grouped_index.csv",
    log:
        "<logs>/split_by_group/{place}grouped_index.log",
    benchmark:
        "<benchmarks>/split_by_group/{place}grouped_index.tsv"
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
