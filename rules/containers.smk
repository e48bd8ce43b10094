# Container images, by Snakemake without --use-apptainer: `snakemake --cores 1 containers/tools-<hash>.sif`.
# `make containers` calls the same script; nothing else in the workflow waits for this rule.


localrules:
    build_container,


rule build_container:
    input:
        script=ancient(script_of("build_container")),
        definition=ancient("containers/{image}.def"),
        packages=ancient("envs/{image}.lock"),
    output:
        image="containers/{image}-{digest}.sif",
        checksum="containers/{image}-{digest}.sif.sha256",
    log:
        "<logs>/build_container/{image}-{digest}.log",
    benchmark:
        "<benchmarks>/build_container/{image}-{digest}.tsv"
    params:
        base=base_of_image,
    shell:
        "python {input.script:q}"
        " --image {wildcards.image}"
        " --base {params.base}"
        " > {log:q} 2>&1"
