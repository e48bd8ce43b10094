# What the report shows of images: errors with heat maps, clusters, reconstructions, copies, masks.


rule find_errors:
    input:
        script=script_of("find_errors"),
        library=library_of("find_errors"),
        runs="<results>/runs.csv",
        predictions=files_of(TABLED, "predictions"),
        external=external_predictions,
    output:
        errors="<results>/report/errors.csv",
        label_errors=shown(
            "<results>/label_errors.csv",
            "label_errors",
            "Data",
            shows="doubtful labels",
        ),
    log:
        "<logs>/find_errors/find_errors.log",
    benchmark:
        "<benchmarks>/find_errors/find_errors.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        results=results_folder,
        external=EXTERNAL,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --runs {input.runs:q}"
        " --external {params.external}"
        " --errors {output.errors:q}"
        " --label-errors {output.label_errors:q}"
        " > {log:q} 2>&1"


rule explain_errors:
    input:
        script=script_of("explain_errors"),
        library=library_of("explain_errors"),
        runs="<results>/runs.csv",
        errors="<results>/report/errors.csv",
        label_errors="<results>/label_errors.csv",
        checkpoints=files_of(TABLED, "models", "pt"),
        images=f"<results>/images/{TARGET}.npy",
        table=f"<results>/images/{TARGET}.csv",
        masked=seen_masked_images,
        masked_table=seen_masked_table,
        predicted_masks=seen_predicted_masks,
        predicted_tables=seen_predicted_tables,
        external=collect("<results>/images/{external}.npy", external=EXTERNAL),
        external_tables=collect("<results>/images/{external}.csv", external=EXTERNAL),
    output:
        page_data="<results>/report/errors.json",
    log:
        "<logs>/explain_errors/explain_errors.log",
    benchmark:
        "<benchmarks>/explain_errors/explain_errors.tsv"
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        results=results_folder,
        masked=masked_flag,
        test_masks=TEST_MASKS,
        predicted_masks=seen_predicted_masks_flags,
        external=EXTERNAL,
        device=CONFIG.compute.device,
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --runs {input.runs:q}"
        " --errors {input.errors:q}"
        " --label-errors {input.label_errors:q}"
        " --images {input.images:q}"
        " {params.masked}"
        " --test-masks {params.test_masks}"
        " {params.predicted_masks}"
        " --external {params.external}"
        " --external-images {input.external:q}"
        " --device {params.device}"
        " --threads {params.compute_threads}"
        " --page-data {output.page_data:q}"
        " > {log:q} 2>&1"


rule report_pictures:
    input:
        **pictured_files(),
        script=script_of("report_pictures"),
        library=library_of("report_pictures"),
        pairs="<results>/leakage/pairs.csv",
        images=collect("<results>/images/{dataset}.npy", dataset=[*DATASETS, *EXTERNAL]),
        tables=collect("<results>/images/{dataset}.csv", dataset=[*DATASETS, *EXTERNAL]),
        masked=collect("<results>/masked/{dataset}.npy", dataset=MASKED),
        masked_tables=collect("<results>/masked/{dataset}.csv", dataset=MASKED),
    output:
        page_data="<results>/report/pictures.json",
    log:
        "<logs>/report_pictures/report_pictures.log",
    benchmark:
        "<benchmarks>/report_pictures/report_pictures.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        datasets=[*DATASETS, *EXTERNAL],
        target=TARGET,
        masked=MASKED,
        clusters=clusters_flags,
        reconstructions=reconstructions_flags,
    shell:
        "python {input.script:q}"
        " --datasets {params.datasets}"
        " --images {input.images:q}"
        " --target {params.target}"
        " --pairs {input.pairs:q}"
        " --masked-datasets {params.masked}"
        " --masked {input.masked:q}"
        " {params.clusters}"
        " {params.reconstructions}"
        " --page-data {output.page_data:q}"
        " > {log:q} 2>&1"
