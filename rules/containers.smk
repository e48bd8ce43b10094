# Container images, by Snakemake without --use-apptainer: `snakemake --cores 1 containers/tools-<hash>.sif`.
# `make containers` calls the same script; nothing else in the workflow waits for this rule.


localrules:
    build_container,


rule build_container:
    input:
        script=script_of("build_container"),
        library=library_of("build_container"),
        definition=ancient("containers/{image}.def"),
        packages=ancient("envs/{image}.lock"),
    output:
        image="containers/{image}-{digest}.sif",
        checksum="containers/{image}-{digest}.sif.sha256",
    log:
        "<logs>/build_container/{image}-{digest}.log",
    benchmark:
        "<benchmarks>/build_container/{image}-{digest}.tsv"
    shell:
        "python {input.script:q}" " --container {output.image:q}" " > {log:q} 2>&1"
