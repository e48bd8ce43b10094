# Jobs that meet one fault each on their first attempt and end well on a later one. Run by test_faults.py
# with profiles/slurm; `image` is the tools image.
import os
import sys

sys.path.insert(0, os.path.join(workflow.basedir, "..", "..", "scripts"))

from fewlabels.workflow.slurm_states import report_every_end

report_every_end()

FAULTS = [
    "out_of_memory",
    "time_limit",
    "cancelled_by_the_system",
    "preempted_and_requeued",
    "preempted_and_cancelled",
    "failing",
]


container: config["image"]


def growing(base):
    def value(wildcards, attempt):
        return base * attempt

    return value


rule all:
    input:
        expand("ends/{fault}.txt", fault=FAULTS),


# Takes more memory than the first attempt has, less than the second.
rule out_of_memory:
    output:
        "ends/out_of_memory.txt",
    log:
        "logs/out_of_memory.log",
    resources:
        mem_mb=growing(1000),
        attempt=lambda wildcards, attempt: attempt,
    shell:
        "python -c 'import time; block = bytearray(1100 * 2**20); time.sleep(3)' 2> {log}"
        " && echo attempt {resources.attempt} memory {resources.mem_mb} > {output}"


# Takes longer than the first attempt has, less than the second (SLURM looks once in a while).
rule time_limit:
    output:
        "ends/time_limit.txt",
    log:
        "logs/time_limit.log",
    resources:
        runtime=growing(1),
        attempt=lambda wildcards, attempt: attempt,
    shell:
        "if [ {resources.attempt} = 1 ]; then sleep 600; fi 2> {log};"
        " echo attempt {resources.attempt} minutes {resources.runtime} > {output}"


# Wait on the first attempt for what the test does to them.
rule cancelled_by_the_system:
    output:
        "ends/cancelled_by_the_system.txt",
    log:
        "logs/cancelled_by_the_system.log",
    resources:
        attempt=lambda wildcards, attempt: attempt,
    shell:
        "if [ {resources.attempt} = 1 ]; then sleep 600; fi 2> {log};"
        " echo attempt {resources.attempt} > {output}"


rule preempted_and_requeued:
    output:
        "ends/preempted_and_requeued.txt",
    log:
        "logs/preempted_and_requeued.log",
    resources:
        slurm_partition="idle",
        attempt=lambda wildcards, attempt: attempt,
    shell:
        "if [ ! -e logs/preempted_and_requeued.started ]; then touch logs/preempted_and_requeued.started; sleep 600; fi 2> {log};"
        " echo attempt {resources.attempt}, again > {output}"


# After the other: one job that takes the whole node would preempt both.
rule preempted_and_cancelled:
    input:
        "ends/preempted_and_requeued.txt",
    output:
        "ends/preempted_and_cancelled.txt",
    log:
        "logs/preempted_and_cancelled.log",
    resources:
        slurm_partition="spare",
        attempt=lambda wildcards, attempt: attempt,
    shell:
        "if [ {resources.attempt} = 1 ]; then sleep 600; fi 2> {log};"
        " echo attempt {resources.attempt} > {output}"


rule failing:
    output:
        "ends/failing.txt",
    log:
        "logs/failing.log",
    resources:
        attempt=lambda wildcards, attempt: attempt,
    shell:
        "test {resources.attempt} -gt 1 2> {log} && echo attempt {resources.attempt} > {output}"


# Not part of `all`: the node goes down with everything on it.
rule node_lost:
    output:
        "ends/node_lost.txt",
    log:
        "logs/node_lost.log",
    resources:
        attempt=lambda wildcards, attempt: attempt,
    shell:
        "if [ ! -e logs/node_lost.started ]; then touch logs/node_lost.started; sleep 600; fi 2> {log};"
        " echo attempt {resources.attempt}, again > {output}"


# Not part of `all`: the user presses Ctrl-C.
rule endless:
    output:
        "ends/endless_{number}.txt",
    log:
        "logs/endless_{number}.log",
    shell:
        "sleep 600 2> {log}; touch {output}"


rule two_endless_ones:
    input:
        expand("ends/endless_{number}.txt", number=[1, 2]),
