# The white blood cell classifiers: one run per arm, fraction and replicate.


rule train_wbc:
    input:
        script=script_of("train_wbc"),
        library=library_of("train_wbc"),
        index=arm_index,
        images="<results>/images/wbc.npy",
        ids="<results>/images/wbc_ids.csv",
        masked=arm_masked_images,
        masked_ids=arm_masked_ids,
        subset=run_subset,
        encoder_checkpoints=encoder_checkpoints,
        activations=arm_activations,
        leakage=ancient("<results>/leakage/check_leakage.csv"),
    output:
        checkpoint="<results>/models/replicate{replicate}/{arm}_wbc_{fraction}.pt",
        history="<results>/history/replicate{replicate}/{arm}_wbc_{fraction}.csv",
        predictions="<results>/predictions/replicate{replicate}/{arm}_wbc_{fraction}.csv",
        validation=validation_output(),
        record="<results>/records/replicate{replicate}/{arm}_wbc_{fraction}.json",
    log:
        "<logs>/train_wbc/replicate{replicate}/{arm}_wbc_{fraction}.log",
    benchmark:
        "<benchmarks>/train_wbc/replicate{replicate}/{arm}_wbc_{fraction}.tsv"
    priority: most_images_first
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(480),
    params:
        masked=masked_flags,
        mask_use=arm_masks,
        encoders=arm_encoders,
        activations=activations_flag,
        classes=config["datasets"]["wbc"]["classes"],
        training=classifier_training(),
        held_out=validation_output_flag,
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
        " {params.activations}"
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
        " {params.held_out}"
        " --record {output.record:q}"
        " > {log:q} 2>&1"


rule predict_external:
    input:
        script=script_of("predict_external"),
        library=library_of("predict_external"),
        checkpoint="<results>/models/replicate{replicate}/{arm}_wbc_{fraction}.pt",
        index="<results>/images/{external}_index.csv",
        images="<results>/images/{external}.npy",
        ids="<results>/images/{external}_ids.csv",
    output:
        predictions="<results>/predictions/replicate{replicate}/{arm}_wbc_{fraction}_on_{external}.csv",
    log:
        "<logs>/predict_external/replicate{replicate}/{arm}_wbc_{fraction}_on_{external}.log",
    benchmark:
        "<benchmarks>/predict_external/replicate{replicate}/{arm}_wbc_{fraction}_on_{external}.tsv"
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        device=config["compute"]["device"],
        precision=config["compute"]["precision"],
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --checkpoint {input.checkpoint:q}"
        " --index {input.index:q}"
        " --images {input.images:q}"
        " --ids {input.ids:q}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --predictions {output.predictions:q}"
        " > {log:q} 2>&1"
