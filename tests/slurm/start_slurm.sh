#!/usr/bin/env bash
# A real Slurm of one node, for tests: controller and node on the loopback, as root, without systemd and without cgroups.
#   start_slurm.sh FOLDER          needs the Debian packages slurmctld slurmd slurm-client munge
#   start_slurm.sh FOLDER stop
# The node claims more cores and memory than the machine may have, so that jobs of a real profile are accepted.
# Memory is watched by polling (OverMemoryKill), as cgroups may not be there.
set -euo pipefail
folder=$1
host=$(hostname -s)

if [ "${2:-}" = stop ]; then
  scancel --user root 2> /dev/null || true
  for name in slurmd slurmctld munged; do
    [ -f "$folder/run/$name.pid" ] && kill "$(cat "$folder/run/$name.pid")" 2> /dev/null || true
  done
  for file in slurm.conf gres.conf; do
    [ "$(readlink "/etc/slurm/$file")" = "$folder/$file" ] && rm -f "/etc/slurm/$file"
  done
  exit 0
fi

for file in slurm.conf gres.conf; do
  [ -e "/etc/slurm/$file" ] && { echo "/etc/slurm/$file is there: a Slurm of this machine is left alone" >&2; exit 3; }
done
mkdir -p "$folder"/{state,spool,run,log} /etc/slurm /run/munge
cat > "$folder/slurm.conf" << CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
SlurmdParameters=config_overrides
SlurmdTimeout=30
SwitchType=switch/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
MinJobAge=3600
AccountingStorageType=accounting_storage/none
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 Sockets=$(getconf _NPROCESSORS_ONLN) CoresPerSocket=1 ThreadsPerCore=1 RealMemory=65536 Gres=gpu:fake:1 State=UNKNOWN
PartitionName=cpu Nodes=$host Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=$host MaxTime=INFINITE State=UP
CONF
echo "NodeName=$host Name=gpu Type=fake File=/dev/null" > "$folder/gres.conf"
ln -s "$folder/slurm.conf" "$folder/gres.conf" /etc/slurm/
chown munge:munge /run/munge
chmod 755 /run/munge
if ! munge -n > /dev/null 2>&1; then
  su -s /bin/bash munge -c "/usr/sbin/munged"
  cp /run/munge/munged.pid "$folder/run/munged.pid"
fi
slurmctld
slurmd -N "$host"
for _ in $(seq 60); do
  sinfo --noheader --format %t 2> /dev/null | grep -q idle && exit 0
  sleep 1
done
echo "Slurm did not come up; see $folder/log" >&2
exit 1
