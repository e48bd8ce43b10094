# The summary, its figures, and what it was made from.


rule summarize:
    input:
        script=script_of("summarize"),
        library=library_of("summarize"),
        metrics="<results>/metrics/evaluate.csv",
        comparisons="<results>/comparisons.csv",
        label_efficiency="<results>/label_efficiency.csv",
        labels="<results>/labels.csv",
        spread="<results>/spread.csv",
        costs="<results>/costs.csv",
        cluster_quality=cluster_qualities,
        mask_scores=mask_scores,
        leakage="<results>/leakage/check_leakage.csv",
        data="<results>/data.md",
    output:
        summary=shown(
            "<results>/summary.csv",
            "summary",
            "Tables",
            shows="every metric",
        ),
        readable="<results>/summary.md",
    log:
        "<logs>/summarize/summary.log",
    benchmark:
        "<benchmarks>/summarize/summary.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        reported=as_is(as_json(reported_numbers(CONFIG, EXPERIMENT))),
        titles=as_is(
            as_json({name: arm.title for name, arm in EXPERIMENT.arms.items()})
        ),
        decimals=CONFIG.table.decimals,
        alpha=CONFIG.statistics.alpha,
        margin=CONFIG.statistics.margin,
        primary=CONFIG.statistics.primary,
        training_pool=CONFIG.statistics.training_pool,
        subsets=CONFIG.subsets.source,
        pretraining_seeds=CONFIG.experiment.pretraining_seeds,
        test_masks=TEST_MASKS,
        predicted_masks=mask_scores_flags,
        target_title=as_is(CONFIG.datasets[TARGET].title or TARGET),
        tables=as_is(as_json(tables_of_pretrained())),
        starts=as_is(as_json(starts())),
        licences=as_is(as_json(licences())),
        transductive=transductive_arms(CONFIG, EXPERIMENT.recipes),
        synthetic="--synthetic" if SYNTHETIC else "",
    shell:
        "python {input.script:q}"
        " --metrics {input.metrics:q}"
        " --comparisons {input.comparisons:q}"
        " --label-efficiency {input.label_efficiency:q}"
        " --labels {input.labels:q}"
        " --spread {input.spread:q}"
        " --costs {input.costs:q}"
        " --leakage {input.leakage:q}"
        " --data {input.data:q}"
        " --target-title={params.target_title:q}"
        " --tables {params.tables:q}"
        " --starts {params.starts:q}"
        " --licences {params.licences:q}"
        " --transductive {params.transductive}"
        " --reported {params.reported:q}"
        " --titles {params.titles:q}"
        " --decimals {params.decimals}"
        " --alpha {params.alpha}"
        " --margin {params.margin}"
        " --primary {params.primary}"
        " --training-pool {params.training_pool}"
        " --subsets {params.subsets}"
        " --pretraining-seeds {params.pretraining_seeds}"
        " --test-masks {params.test_masks}"
        " {params.predicted_masks}"
        " {params.synthetic}"
        " --summary {output.summary:q}"
        " --readable {output.readable:q}"
        " > {log:q} 2>&1"


rule record_provenance:
    input:
        script=script_of("record_provenance"),
        library=library_of("record_provenance"),
        tables=[
            "<results>/summary.csv",
            "<results>/comparisons.csv",
            "<results>/label_efficiency.csv",
        ],
        indexes=collect(
            "<results>/images/{dataset}_index.csv", dataset=[*DATASETS, *EXTERNAL]
        ),
        grouped_index=grouped_index,
    output:
        provenance="<results>/provenance.json",
    log:
        "<logs>/record_provenance/provenance.log",
    benchmark:
        "<benchmarks>/record_provenance/provenance.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        results=results_folder,
        config=whole_config,
        containers=containers_in_use(),
    shell:
        "python {input.script:q}"
        " --tables {input.tables:q}"
        " --indexes {input.indexes:q} {input.grouped_index:q}"
        " --results {params.results:q}"
        " --config {params.config:q}"
        " --containers {params.containers:q}"
        " --provenance {output.provenance:q}"
        " > {log:q} 2>&1"


rule plot_curves:
    input:
        script=script_of("plot_curves"),
        runs="<results>/runs.csv",
        library=library_of("plot_curves"),
        histories=figure_histories,
    output:
        figure=shown(
            "<results>/figures/{figure}.png",
            "curves",
            "Learning curves",
            figure="{figure}",
        ),
    log:
        "<logs>/plot_curves/{figure}.log",
    benchmark:
        "<benchmarks>/plot_curves/{figure}.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        title=figure_title,
        results=results_folder,
        arm=figure_arm,
    shell:
        "python {input.script:q}"
        " --title={params.title:q}"
        " --results {params.results:q}"
        " --runs {input.runs:q}"
        " --arm {params.arm}"
        " --figure {output.figure:q}"
        " > {log:q} 2>&1"


rule plot_label_efficiency:
    input:
        script=script_of("plot_label_efficiency"),
        runs="<results>/runs.csv",
        library=library_of("plot_label_efficiency"),
        metrics="<results>/metrics/evaluate.csv",
        labels="<results>/labels.csv",
    output:
        figure="<results>/figures/label_efficiency.png",
        vector=shown(
            "<results>/figures/label_efficiency.svg",
            "label_efficiency_figure",
            "Answer",
            shows="scores by labels",
        ),
    log:
        "<logs>/plot_label_efficiency/label_efficiency.log",
    benchmark:
        "<benchmarks>/plot_label_efficiency/label_efficiency.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        title=as_is(CONFIG.datasets[TARGET].title or TARGET),
        reported=as_is(as_json(reported_numbers(CONFIG, EXPERIMENT))),
        primary=CONFIG.statistics.primary,
        alpha=CONFIG.statistics.alpha,
    shell:
        "python {input.script:q}"
        " --metrics {input.metrics:q}"
        " --labels {input.labels:q}"
        " --runs {input.runs:q}"
        " --title={params.title:q}"
        " --reported {params.reported:q}"
        " --primary {params.primary}"
        " --alpha {params.alpha}"
        " --figure {output.figure:q}"
        " --vector {output.vector:q}"
        " > {log:q} 2>&1"


rule plot_confusion:
    input:
        script=script_of("plot_confusion"),
        runs="<results>/runs.csv",
        library=library_of("plot_confusion"),
        confusion="<results>/metrics/confusion.csv",
    output:
        figure=shown(
            "<results>/figures/confusion/{arm}.png",
            "confusion",
            "Confusion matrices",
            arm="{arm}",
        ),
    log:
        "<logs>/plot_confusion/{arm}.log",
    benchmark:
        "<benchmarks>/plot_confusion/{arm}.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        title=confusion_title,
        external=EXTERNAL,
    shell:
        "python {input.script:q}"
        " --confusion {input.confusion:q}"
        " --runs {input.runs:q}"
        " --arm {wildcards.arm}"
        " --title={params.title:q}"
        " --external {params.external:q}"
        " --figure {output.figure:q}"
        " > {log:q} 2>&1"


rule report:
    input:
        script=script_of("report"),
        library=library_of("report"),
        templates=PAGE_TEMPLATES,
        runs="<results>/runs.csv",
        metrics="<results>/metrics/evaluate.csv",
        confusion="<results>/metrics/confusion.csv",
        comparisons="<results>/comparisons.csv",
        label_efficiency="<results>/label_efficiency.csv",
        labels="<results>/labels.csv",
        spread="<results>/spread.csv",
        costs="<results>/costs.csv",
        provenance="<results>/provenance.json",
        cluster_quality=cluster_qualities,
        mask_scores=mask_scores,
        leakage="<results>/leakage/check_leakage.csv",
        compared="<results>/leakage/compared.csv",
        slide_only="<results>/leakage/slide_only.csv",
        data=data_set_files("index.csv", "problems.csv", "left_out.csv", "reading.json"),
        masked=collect("<results>/masked/{dataset}.csv", dataset=MASKED),
        histories=files_of(TABLED, "history"),
        predictions=files_of(TABLED, "predictions"),
        records=files_of(TABLED, "records", "json"),
        errors="<results>/report/errors.json",
        pictures="<results>/report/pictures.json",
    output:
        page=shown(
            "<results>/report.html",
            "page",
            "Answer",
            shows="the whole report",
        ),
    log:
        "<logs>/report/report.log",
    benchmark:
        "<benchmarks>/report/report.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        results=results_folder,
        target=TARGET,
        datasets=[*DATASETS, *EXTERNAL],
        masked=MASKED,
        external=EXTERNAL,
        settings=as_is(as_json(summary_settings())),
        tables=as_is(as_json(tables_of_pretrained())),
        recipes=as_is(as_json(recipes())),
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --target {params.target}"
        " --datasets {params.datasets}"
        " --masked {params.masked}"
        " --external {params.external}"
        " --settings {params.settings:q}"
        " --tables {params.tables:q}"
        " --recipes {params.recipes:q}"
        " --mask-scores {input.mask_scores:q}"
        " --page {output.page:q}"
        " > {log:q} 2>&1"


# Last, so that every other step has written its benchmark file.
rule summarize_benchmarks:
    input:
        script=script_of("summarize_benchmarks"),
        library=library_of("summarize_benchmarks"),
        tables=["<results>/summary.csv", "<results>/summary.md"],
        figures=collect("<results>/figures/{figure}.png", figure=FIGURES),
        label_efficiency=LABEL_EFFICIENCY_FIGURES,
        confusion=collect("<results>/figures/confusion/{arm}.png", arm=ARMS),
        page="<results>/report.html",
    output:
        shown(
            "<results>/benchmarks.csv",
            "benchmarks",
            "Costs",
            shows="each step",
        ),
    log:
        "<logs>/summarize_benchmarks/summarize_benchmarks.log",
    benchmark:
        "<benchmarks>/summarize_benchmarks/summarize_benchmarks.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        benchmarks=benchmarks_folder,
        records=records_folder,
    shell:
        "python {input.script:q}"
        " --benchmarks {params.benchmarks:q}"
        " --records {params.records:q}"
        " --table {output:q}"
        " > {log:q} 2>&1"
