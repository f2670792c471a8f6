#!/bin/sh
# Install the Debian packages of the real components that the tests start, with the argument `slurm` only those of a Slurm
# cluster. Needs root or sudo; nothing is started.
set -eu
SLURM="munge slurmctld slurmd slurm-client slurm-wlm-basic-plugins"
PACKAGES="openssl curl openssh-server openssh-client sudo gridengine-master gridengine-exec gridengine-client
    shellcheck dash busybox procps iproute2 util-linux systemd
    postgresql rabbitmq-server myproxy-server myproxy globus-proxy-utils globus-gsi-cert-utils-progs voms-clients
    voms-server voms-mysql-plugin mariadb-server gcc libc6-dev nordugrid-arc-client nordugrid-arc-plugins-needed
    nordugrid-arc-arex
    slapd ldap-utils glue-schema chromium fonts-dejavu-core mpich wget python3
    xrootd-server xrootd-server-plugins xrootd-plugins xrootd-voms-plugins xrootd-client-plugins
    $SLURM slurmdbd slurm-wlm-mysql-plugin"
[ "${1:-}" != slurm ] || PACKAGES="openssl curl procps $SLURM"
missing=""
for package in $PACKAGES; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
SUDO=""
[ "$(id -u)" = 0 ] || SUDO=sudo
echo "Installing:$missing"
# no cluster of its own for PostgreSQL: the tests make theirs
$SUDO mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] ||
    echo 'create_main_cluster = false' | $SUDO tee /etc/postgresql-common/createcluster.conf >/dev/null
$SUDO apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 $SUDO apt-get install -y -qq --no-install-recommends $missing
