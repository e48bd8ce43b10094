# Trained classifiers in use. Only on request:
#   snakemake --cores 2 results/export/replicate1/resnet_wbc_100.onnx
#   snakemake --cores 2 results/predict/clinic/resnet_wbc_100.csv


rule export_model:
    input:
        script=script_of("export_model"),
        library=library_of("export_model"),
        model=f"<results>/models/{RUN}.pt",
        mask_network=arm_mask_network,
        validation=validation_output(),
        subset=run_subset,
        index=arm_index,
        runs="<results>/runs.csv",
        labels="<results>/labels.csv",
        metrics="<results>/metrics/evaluate.csv",
    output:
        onnx=f"<results>/export/{RUN}.onnx",
        weights=f"<results>/export/{RUN}.safetensors",
        card=f"<results>/export/{RUN}.md",
    log:
        f"<logs>/export_model/{RUN}.log",
    benchmark:
        f"<benchmarks>/export_model/{RUN}.tsv"
    threads: THREADS
    resources:
        mem_mb=growing(8000),
        runtime=growing(30),
    params:
        results=results_folder,
        mask_network=mask_network_flag,
        title=arm_title,
        licences=arm_licences,
        alpha=CONFIG.statistics.alpha,
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --model {input.model:q}"
        " {params.mask_network}"
        " --results {params.results:q}"
        " --subset {input.subset:q}"
        " --title={params.title:q}"
        " --licences {params.licences:q}"
        " --alpha {params.alpha}"
        " --threads {params.compute_threads}"
        " --out {output.onnx:q}"
        " > {log:q} 2>&1"


rule predict:
    input:
        script=script_of("predict"),
        library=library_of("predict"),
        models=predicting_models,
        mask_networks=predicting_mask_networks,
        validation=predicting_validation,
    output:
        predictions=f"<results>/predict/{{new_images}}/{{arm}}_{TARGET}_{{fraction}}.csv",
        left_out=f"<results>/predict/{{new_images}}/{{arm}}_{TARGET}_{{fraction}}_left_out.csv",
        page=f"<results>/predict/{{new_images}}/{{arm}}_{TARGET}_{{fraction}}.html",
    log:
        f"<logs>/predict/{{new_images}}/{{arm}}_{TARGET}_{{fraction}}.log",
    benchmark:
        f"<benchmarks>/predict/{{new_images}}/{{arm}}_{TARGET}_{{fraction}}.tsv"
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        images=new_images,
        mask_networks=mask_networks_flag,
        page=page_flag,
        max_megapixels=CONFIG.images.max_megapixels,
        device=CONFIG.compute.device,
        precision=CONFIG.compute.precision,
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --model {input.models:q}"
        " {params.mask_networks}"
        " --images={params.images:q}"
        " {params.page}"
        " --max-megapixels {params.max_megapixels}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --decoders {params.compute_threads}"
        " --out {output.predictions:q}"
        " > {log:q} 2>&1"
