#!/bin/bash
# A SLURM cluster of one node on this machine, for the tests: real daemons, no systemd.
#
#   bash tests/slurm/setup_slurm.sh start    install what is missing, configure, start, run a first job (as root)
#   bash tests/slurm/setup_slurm.sh stop     stop the daemons that `start` started, take its configuration away
#   bash tests/slurm/setup_slurm.sh status
#
# The node has all CPUs and nearly all memory of this machine and one stand-in for a GPU, so that --gpus and --gres are
# scheduled. Partitions: cpu (default), gpu, and for preemption: idle (its jobs go back into the queue), spare (its
# jobs are cancelled), urgent (preempts both). No accounting database. Logs in /var/log/slurm.
set -euo pipefail

RUN=/run/slurm
LOGS=/var/log/slurm
STATE=/var/lib/slurm
CONFIGURATION=/etc/slurm
MARK="# written by tests/slurm/setup_slurm.sh"

say() { printf 'setup_slurm: %s\n' "$*"; }
stop_with() { printf 'error: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || stop_with "setup_slurm.sh starts daemons: run it as root"
. /etc/os-release
[ "${ID:-}" = debian ] || stop_with "setup_slurm.sh knows Debian only"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

# The daemon of a pid file, if it lives and is the one it was.
daemon_of() {
    local pid
    pid=$(cat "$1" 2> /dev/null) && [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = "$2" ] && echo "$pid"
}

end_daemon() {
    local pid
    if pid=$(daemon_of "$1" "$2"); then
        kill "$pid"
        for _ in $(seq 150); do
            [ -e "/proc/$pid" ] || break
            sleep 0.1
        done
    fi
    rm -f "$1"
}

stop_cluster() {
    if daemon_of "$RUN/slurmctld.pid" slurmctld > /dev/null && grep -qsF "$MARK" "$CONFIGURATION/slurm.conf"; then
        scancel --state=PENDING --state=RUNNING --user=root 2> /dev/null || say "no jobs could be cancelled"
    fi
    end_daemon "$RUN/slurmd.pid" slurmd
    end_daemon "$RUN/slurmctld.pid" slurmctld
    end_daemon /run/munge/munged.pid munged
    for file in slurm.conf gres.conf cgroup.conf; do
        if grep -qsF "$MARK" "$CONFIGURATION/$file"; then rm "$CONFIGURATION/$file"; fi
    done
    rm -rf "$STATE/slurmctld" "$STATE/slurmd"
}

install_packages() {
    local package guard= missing=()
    for package in slurm-wlm munge; do
        [ "$(dpkg-query --show --showformat '${db:Status-Status}' $package 2> /dev/null)" = installed ] || missing+=($package)
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    # The packages would start daemons that lack a configuration yet.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        guard=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' > $guard
        chmod 755 $guard
    fi
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
    [ -z "$guard" ] || rm -f "$guard"
}

# Whether this kernel's cgroups (version 1, writable) can hold a job to its memory, as on a real cluster.
cgroups_confine() {
    local controller probe
    for controller in memory freezer; do
        probe=/sys/fs/cgroup/$controller/slurm-test-probe
        mkdir "$probe" 2> /dev/null || return 1
        rmdir "$probe"
    done
}

write_configuration() {
    local host memory confinement
    host=$(hostname -s)
    memory=$(awk '$1 == "MemTotal:" { print int($2 / 1024 * 0.95) }' /proc/meminfo)
    if cgroups_confine; then
        confinement="ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/cgroup
JobAcctGatherFrequency=task=5"
        printf '%s\nCgroupPlugin=cgroup/v1\nCgroupMountpoint=/sys/fs/cgroup\nCgroupAutomount=no\nConstrainRAMSpace=yes\n' \
            "$MARK" > "$CONFIGURATION/cgroup.conf"
    else
        # Else SLURM watches the memory by itself and kills what exceeds its share.
        confinement="ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill"
        printf '%s\nCgroupAutomount=no\nConstrainRAMSpace=no\n' "$MARK" > "$CONFIGURATION/cgroup.conf"
    fi
    printf '%s\nNodeName=localhost Name=gpu File=/dev/null\n' "$MARK" > "$CONFIGURATION/gres.conf"
    cat > "$CONFIGURATION/slurm.conf" << END
$MARK
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=slurm
AuthType=auth/munge
MpiDefault=none
SlurmctldPidFile=$RUN/slurmctld.pid
SlurmdPidFile=$RUN/slurmd.pid
SlurmctldLogFile=$LOGS/slurmctld.log
SlurmdLogFile=$LOGS/slurmd.log
StateSaveLocation=$STATE/slurmctld
SlurmdSpoolDir=$STATE/slurmd
SlurmdParameters=config_overrides
$confinement
# A virtual machine's root may lack the capability to raise limits that the submitting shell has.
PropagateResourceLimits=NONE
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=1000
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
# squeue answers for finished jobs, too, for so many seconds.
MinJobAge=900
KillWait=5
ReturnToService=2
SlurmdTimeout=300
NodeName=localhost NodeHostname=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory Gres=gpu:1 State=UNKNOWN
PartitionName=DEFAULT Nodes=localhost State=UP MaxTime=INFINITE DefaultTime=60 PriorityTier=10
PartitionName=cpu Default=YES PreemptMode=OFF
PartitionName=gpu PreemptMode=OFF
PartitionName=idle PreemptMode=REQUEUE
PartitionName=spare PreemptMode=CANCEL
PartitionName=urgent PriorityTier=20 PreemptMode=OFF
END
}

start_cluster() {
    install_packages
    if [ -e "$CONFIGURATION/slurm.conf" ] && ! grep -qF "$MARK" "$CONFIGURATION/slurm.conf"; then
        stop_with "$CONFIGURATION/slurm.conf is of another cluster: this machine's SLURM is left alone"
    fi
    stop_cluster
    install -d -o slurm -g slurm "$RUN" "$LOGS" "$STATE" "$STATE/slurmctld"
    install -d "$CONFIGURATION" "$STATE/slurmd"
    write_configuration

    install -d -o munge -g munge -m 755 /run/munge
    install -d -o munge -g munge -m 700 /etc/munge /var/lib/munge /var/log/munge
    if [ ! -s /etc/munge/munge.key ]; then
        (umask 077 && head -c 256 /dev/urandom > /etc/munge/munge.key)
        chown munge:munge /etc/munge/munge.key
        chmod 400 /etc/munge/munge.key
    fi
    runuser -u munge -- /usr/sbin/munged --pid-file=/run/munge/munged.pid
    /usr/sbin/slurmctld
    for _ in $(seq 150); do
        scontrol ping 2> /dev/null | grep -q 'is UP' && break
        sleep 0.2
    done
    /usr/sbin/slurmd
    for _ in $(seq 150); do
        [ "$(sinfo --noheader --partition=cpu --format=%T 2> /dev/null)" = idle ] && break
        sleep 0.2
    done
    sinfo --format '%P %T %c %m %G'
    srun --ntasks=1 --mem=50 --gpus=1 --time=1 true || stop_with "the first job failed: read $LOGS/slurmctld.log and slurmd.log"
    say "SLURM $(sinfo --version | cut -d ' ' -f 2) is up"
}

case ${1:-} in
    start) start_cluster ;;
    stop) stop_cluster; say "stopped" ;;
    status) sinfo --Node --format '%N %P %T %c %m %G' && squeue ;;
    *) stop_with "usage: setup_slurm.sh start | stop | status" ;;
esac
