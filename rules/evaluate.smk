# From predictions and histories to the tables of results.


# The scripts get the folder and not the files: hundreds of runs would not fit on a command line.
rule evaluate:
    input:
        script=script_of("evaluate"),
        library=library_of("evaluate"),
        index=index_of(TARGET),
        runs="<results>/runs.csv",
        labels="<results>/labels.csv",
        predictions=files_of(TABLED, "predictions"),
        histories=files_of(TABLED, "history"),
        validation=files_of(TABLED, "validation") if SELECTION == "validation" else [],
        external=external_predictions,
        external_indexes=collect(
            "<results>/images/{external}_index.csv", external=EXTERNAL
        ),
        slide_only="<results>/predictions/slide_only.csv",
        pretrained_predictions=collect(
            "<results>/predictions/{model}.csv", model=PRETRAINED_CLASSIFIERS
        ),
        pretrained_histories=collect(
            "<results>/history/{model}.csv", model=PRETRAINED_CLASSIFIERS
        ),
    output:
        metrics="<results>/metrics/evaluate.csv",
        confusion="<results>/metrics/confusion.csv",
    log:
        "<logs>/evaluate/evaluate.log",
    benchmark:
        "<benchmarks>/evaluate/evaluate.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        results=results_folder,
        pretrained=PRETRAINED_CLASSIFIERS,
        external_sets=external_flags,
        selection=SELECTION,
        training_pool=CONFIG.statistics.training_pool,
        alpha=CONFIG.statistics.alpha,
        bootstrap=CONFIG.statistics.bootstrap,
        seed=CONFIG.statistics.seed,
        bins=CONFIG.statistics.bins,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --index {input.index:q}"
        " --runs {input.runs:q}"
        " --labels {input.labels:q}"
        " --pretrained {params.pretrained}"
        " {params.external_sets}"
        " --baseline-predictions slide_only={input.slide_only:q}"
        " --selection {params.selection}"
        " --training-pool {params.training_pool}"
        " --alpha {params.alpha}"
        " --bootstrap {params.bootstrap}"
        " --seed {params.seed}"
        " --bins {params.bins}"
        " --metrics {output.metrics:q}"
        " --confusion {output.confusion:q}"
        " > {log:q} 2>&1"


rule compare:
    input:
        script=script_of("compare"),
        library=library_of("compare"),
        index=index_of(TARGET),
        runs="<results>/runs.csv",
        labels="<results>/labels.csv",
        predictions=files_of(TABLED, "predictions"),
        external=external_predictions,
        external_indexes=collect(
            "<results>/images/{external}_index.csv", external=EXTERNAL
        ),
    output:
        comparisons=shown(
            "<results>/comparisons.csv",
            "comparisons",
            "Tables",
            shows="arms beside baselines",
        ),
    log:
        "<logs>/compare/comparisons.log",
    benchmark:
        "<benchmarks>/compare/comparisons.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        results=results_folder,
        external_sets=external_flags,
        alpha=CONFIG.statistics.alpha,
        margin=CONFIG.statistics.margin,
        primary=CONFIG.statistics.primary,
        training_pool=CONFIG.statistics.training_pool,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --index {input.index:q}"
        " --runs {input.runs:q}"
        " --labels {input.labels:q}"
        " {params.external_sets}"
        " --alpha {params.alpha}"
        " --margin {params.margin}"
        " --primary {params.primary}"
        " --training-pool {params.training_pool}"
        " --comparisons {output.comparisons:q}"
        " > {log:q} 2>&1"


rule count_labels:
    input:
        script=script_of("count_labels"),
        runs="<results>/runs.csv",
        library=library_of("count_labels"),
        subsets=tabled_subsets,
        histories=files_of(TABLED, "history"),
    output:
        labels="<results>/labels.csv",
    log:
        "<logs>/count_labels/labels.log",
    benchmark:
        "<benchmarks>/count_labels/labels.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        results=results_folder,
        given=given_contents,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --runs {input.runs:q}"
        " --given {params.given:q}"
        " --labels {output.labels:q}"
        " > {log:q} 2>&1"


rule label_efficiency:
    input:
        script=script_of("label_efficiency"),
        library=library_of("label_efficiency"),
        index=index_of(TARGET),
        runs="<results>/runs.csv",
        labels="<results>/labels.csv",
        predictions=files_of(TABLED, "predictions"),
        external=external_predictions,
        external_indexes=collect(
            "<results>/images/{external}_index.csv", external=EXTERNAL
        ),
    output:
        efficiency=shown(
            "<results>/label_efficiency.csv",
            "label_efficiency",
            "Tables",
            shows="labels saved",
        ),
    log:
        "<logs>/label_efficiency/label_efficiency.log",
    benchmark:
        "<benchmarks>/label_efficiency/label_efficiency.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        results=results_folder,
        external_sets=external_flags,
        alpha=CONFIG.statistics.alpha,
        primary=CONFIG.statistics.primary,
        training_pool=CONFIG.statistics.training_pool,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --index {input.index:q}"
        " --runs {input.runs:q}"
        " --labels {input.labels:q}"
        " {params.external_sets}"
        " --alpha {params.alpha}"
        " --primary {params.primary}"
        " --training-pool {params.training_pool}"
        " --efficiency {output.efficiency:q}"
        " > {log:q} 2>&1"


rule spread:
    input:
        script=script_of("spread"),
        runs="<results>/runs.csv",
        library=library_of("spread"),
        predictions=files_of(CROSSED, "predictions"),
    output:
        spread=shown(
            "<results>/spread.csv",
            "spread",
            "Tables",
            shows="what spreads runs",
        ),
    log:
        "<logs>/spread/spread.log",
    benchmark:
        "<benchmarks>/spread/spread.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        results=results_folder,
        alpha=CONFIG.statistics.alpha,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --runs {input.runs:q}"
        " --alpha {params.alpha}"
        " --spread {output.spread:q}"
        " > {log:q} 2>&1"


rule collect_costs:
    input:
        script=script_of("collect_costs"),
        runs="<results>/runs.csv",
        library=library_of("collect_costs"),
        records=files_of(TABLED, "records", "json"),
        crossed_records=files_of(CROSSED, "records", "json"),
        pretrained_records=collect("<results>/records/{model}.json", model=PRETRAINED),
        mask_records=mask_records,
    output:
        costs=shown(
            "<results>/costs.csv",
            "costs",
            "Costs",
            shows="each training",
        ),
    log:
        "<logs>/collect_costs/costs.log",
    benchmark:
        "<benchmarks>/collect_costs/costs.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        results=results_folder,
        benchmarks=benchmarks_folder,
        pretrained=PRETRAINED,
        mask_records=mask_records_flag,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --benchmarks {params.benchmarks:q}"
        " --runs {input.runs:q}"
        " --pretrained {params.pretrained}"
        " {params.mask_records}"
        " --costs {output.costs:q}"
        " > {log:q} 2>&1"
