# The white blood cell classifiers: one run per arm, fraction and replicate.


rule train_wbc:
    input:
        script=script_of("train_wbc"),
        library=library_of("train_wbc"),
        index="<results>/images/wbc_index.csv",
        images="<results>/images/wbc.npy",
        ids="<results>/images/wbc_ids.csv",
        masked=arm_masked_images,
        masked_ids=arm_masked_ids,
        subset=run_subset,
        encoder_checkpoints=encoder_checkpoints,
    output:
        checkpoint="<results>/models/replicate{replicate}/{arm}_wbc_{fraction}.pt",
        history="<results>/history/replicate{replicate}/{arm}_wbc_{fraction}.csv",
        predictions="<results>/predictions/replicate{replicate}/{arm}_wbc_{fraction}.csv",
        record="<results>/records/replicate{replicate}/{arm}_wbc_{fraction}.json",
    log:
        "<logs>/train_wbc/replicate{replicate}/{arm}_wbc_{fraction}.log",
    benchmark:
        "<benchmarks>/train_wbc/replicate{replicate}/{arm}_wbc_{fraction}.tsv"
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(480),
    params:
        masked=masked_flags,
        mask_use=arm_masks,
        encoders=arm_encoders,
        classes=config["datasets"]["wbc"]["classes"],
        training=as_json(config["classification"]),
        seed=initialisation_seed,
        resize=config["images"]["resize"],
        device=config["compute"]["device"],
        precision=config["compute"]["precision"],
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --index {input.index:q}"
        " --images {input.images:q}"
        " --ids {input.ids:q}"
        " {params.masked}"
        " --mask-use {params.mask_use}"
        " --subset {input.subset:q}"
        " --encoders {params.encoders:q}"
        " --encoder-checkpoints {input.encoder_checkpoints:q}"
        " --classes {params.classes:q}"
        " --training {params.training:q}"
        " --seed {params.seed}"
        " --resize {params.resize}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --checkpoint {output.checkpoint:q}"
        " --history {output.history:q}"
        " --predictions {output.predictions:q}"
        " --record {output.record:q}"
        " > {log:q} 2>&1"
