#!/bin/sh
# Copies a file from the storage element that is close; fails if it is not there.
set -eu
cp "$(glite-brokerinfo getSEMountPoint "$(glite-brokerinfo getCloseSEs | head -n 1)")/$1" .
