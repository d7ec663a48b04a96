#!/usr/bin/env bash
# A Slurm cluster of this one machine, for as long as a command runs:
#
#   tests/slurm/one_node_slurm.sh COMMAND [ARGS]
#
# COMMAND finds it by SLURM_CONF. Everything lies in a temporary folder and listens on free ports, so that it stands
# beside any other Slurm. Works in a container, without systemd or cgroups. Exits 77 where it cannot be set up.
set -euo pipefail

readonly kSkipped=77 kPatience=120 # seconds

skip() {
  echo "skipped: $1"
  exit "$kSkipped"
}

[[ $# -gt 0 ]] || { echo "usage: $0 COMMAND [ARGS]" >&2; exit 2; }
[[ $EUID -eq 0 ]] || skip "only root can set up a Slurm"
PATH=$PATH:/usr/sbin
for program in munged slurmctld slurmd sbatch; do
  command -v "$program" >/dev/null || skip "$program is not installed (setup/apt-test.txt)"
done

unset "${!SLURM_@}" "${!SBATCH_@}" # of a job that this may run in
folder=$(mktemp -d "${TMPDIR:-/tmp}/slurm-XXXXXX")
export SLURM_CONF=$folder/slurm.conf
daemons=()
up=no
running=

# Out of this terminal's reach, so that Ctrl-C leaves them in place until jobs are cancelled; a daemon ends with this
# script, however that ends.
start() { # NAME COMMAND...
  local name=$1
  shift
  setsid setpriv --pdeathsig KILL "$@" >"$folder/$name.out" 2>&1 </dev/null &
  daemons+=($!)
}

# Tries until it succeeds.
await() { # WHAT COMMAND...
  local what=$1 end=$((SECONDS + kPatience))
  shift
  until "$@" >/dev/null 2>&1; do
    [[ $SECONDS -lt $end ]] || { echo "error: $what, after $kPatience s" >&2; return 1; }
    sleep 0.1
  done
}

node_is_idle() { [[ $(sinfo --noheader --format=%T) == idle ]]; }
no_jobs() { [[ -z $(squeue --noheader) ]]; }

tear_down() {
  local status=$?
  trap '' INT TERM HUP
  [[ -z $running ]] || kill "$running" 2>/dev/null || true
  if [[ $up == yes ]]; then
    scancel --user="$(id -un)" || true
    await "jobs do not end" no_jobs || status=1
  else
    tail -n 20 "$folder"/*.{log,out} >&2 || true
  fi
  [[ ${#daemons[@]} -eq 0 ]] || kill "${daemons[@]}" 2>/dev/null || true
  wait || true
  rm -rf "$folder"
  exit "$status"
}
trap tear_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

free_ports() {
  python3 - <<'PYTHON'
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in sockets))
PYTHON
}

# More CPUs than there are, if need be, so that two tasks run side by side on any machine.
write_configuration() {
  local host cpus memory controller_port node_port
  host=$(hostname -s)
  cpus=$(($(nproc) > 2 ? $(nproc) : 2))
  memory=$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
  read -r controller_port node_port < <(free_ports)
  cat >"$SLURM_CONF" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=$controller_port
SlurmdPort=$node_port
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
# The ranks of a job meet at a port that follows from its number: those of two such clusters must differ.
FirstJobId=$((RANDOM + 1))
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1
SlurmdParameters=config_overrides
KillWait=5
NodeName=localhost NodeHostname=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory
PartitionName=all Nodes=localhost Default=YES MaxTime=INFINITE State=UP
CONF
}

chmod 711 "$folder" # munged wants its socket reachable
mkdir "$folder/state" "$folder/spool" "$folder/tmp"
(umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
write_configuration

start munged munged --foreground --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" \
  --log-file="$folder/munged.log" --pid-file="$folder/munged.pid" --seed-file="$folder/munged.seed"
await "munged does not answer" munge --no-input --socket="$folder/munge.socket"
start slurmctld slurmctld -D
start slurmd slurmd -D
await "the node does not come up" node_is_idle
up=yes

TMPDIR=$folder/tmp "$@" & # so that what it leaves when it is interrupted goes too
running=$!
status=0
wait "$running" || status=$?
running=
(exit "$status")
