#!/usr/bin/env bash
# Installs what tests/slurm needs, where that is allowed: root or sudo without a password, and Debian's package manager.
# Nothing is started and nothing configured. Without Slurm those tests are skipped; so this never fails.
set -uo pipefail
packages=(slurmctld slurmd slurm-client munge slurmdbd mariadb-server)

export PATH=$PATH:/usr/sbin
complete=yes
for program in slurmctld slurmd munged srun slurmdbd mariadbd; do
    command -v "$program" > /dev/null || complete=no
done
[ "$complete" = no ] || exit 0
note() { echo "note: $*; the tests on a cluster are skipped" >&2; exit 0; }
command -v apt-get > /dev/null || note "Slurm is not installed, and there is no apt-get to install it with"
as_root=()
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2> /dev/null || note "Slurm is not installed, and installing it needs root"
    as_root=(sudo -n)
fi
# Packages want to start their services, which these tests do themselves, elsewhere.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" > /dev/null && "${as_root[@]}" chmod 755 "$policy"
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive timeout 600 apt-get -qq -o DPkg::Lock::Timeout=120 "$@" > /dev/null; }
apt update || echo "note: apt-get update failed; trying with the lists that are there" >&2
apt install -y --no-install-recommends "${packages[@]}" || note "installing ${packages[*]} failed"
