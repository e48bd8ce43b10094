# Masks of all images of the target, predicted by a network that learnt from those of one subset.


rule predict_masks:
    input:
        script=script_of("predict_masks"),
        library=library_of("predict_masks"),
        index=f"<results>/images/{TARGET}{{split}}_index.csv",
        images=f"<results>/images/{TARGET}.npy",
        table=f"<results>/images/{TARGET}.csv",
        masks=f"<results>/images/{TARGET}_masks.npy",
        mask_table=f"<results>/images/{TARGET}_masks.csv",
        subset=f"<results>/subsets/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}{{given}}.csv",
        heeded=ancient(HEEDED),
    output:
        predicted=f"<results>/predicted_masks/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}{{given}}.npy",
        table=f"<results>/predicted_masks/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}{{given}}.csv",
        scores=f"<results>/predicted_masks/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}{{given}}_scores.csv",
        checkpoint=f"<results>/predicted_masks/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}{{given}}.pt",
        record=f"<results>/records/predicted_masks/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}{{given}}.json",
    log:
        f"<logs>/predict_masks/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}{{given}}.log",
    benchmark:
        f"<benchmarks>/predict_masks/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}{{given}}.tsv"
    priority: PRIORITY["pretraining"]
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        network=as_is(as_json(CONFIG.masks.predicted.network().plain())),
        unfinished=unfinished_state(
            f"predicted_masks/replicate{{replicate}}/{TARGET}_{{fraction}}{{split}}{{given}}"
        ),
        device=CONFIG.compute.device,
        precision=CONFIG.compute.precision,
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --index {input.index:q}"
        " --images {input.images:q}"
        " --masks {input.masks:q}"
        " --subset {input.subset:q}"
        " --fraction {wildcards.fraction}"
        " --network {params.network:q}"
        " --seed {wildcards.replicate}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --predicted {output.predicted:q}"
        " --scores {output.scores:q}"
        " --checkpoint {output.checkpoint:q}"
        " --record {output.record:q}"
        " --unfinished {params.unfinished:q}"
        " > {log:q} 2>&1"
