# Pretraining: one rule for each that an arm needs, all by one script; what differs is declared with its method.
# Nothing below `shell` may name the loop's variables: it is read when the job runs.

for pretraining, entry in PRETRAINING.items():

    rule:
        name:
            f"pretrain_{pretraining}"
        input:
            **pretraining_inputs(pretraining),
            script=script_of("pretrain"),
            library=library_of("pretrain", entry.method),
            tables=pretraining_tables(pretraining),
            heeded=ancient(HEEDED),
        output:
            **pretraining_outputs(pretraining),
        log:
            f"<logs>/pretrain/{pretraining}.log",
        benchmark:
            f"<benchmarks>/pretrain/{pretraining}.tsv"
        priority: PRIORITY["pretraining"] if getattr(entry, "labels", "none") else PRIORITY["labelled"]
        threads: THREADS
        resources:
            gpu=GPU if entry.runs_network else 0,
            mem_mb=growing(8000),
            runtime=growing(240),
        params:
            method=entry.method,
            files=pretraining_files(pretraining),
            options=as_is(pretraining_options(pretraining)),
            compute_threads=THREADS,
        shell:
            "OMP_NUM_THREADS={params.compute_threads} OPENBLAS_NUM_THREADS={params.compute_threads}"
            " python {input.script:q} {params.method} {params.files} {params.options} > {log:q} 2>&1"
