#!/bin/sh
# Finds a logical file on the storage element that is mounted here, and sums up its second column.
set -eu
url=$(glite-brokerinfo getLFN2SFN "$1" | head -n 1)
place=${url#*://}
mount=$(glite-brokerinfo getSEMountPoint "${place%%/*}")
echo "$1 is $mount/${place#*/} at $(glite-brokerinfo getCE)"
awk '{ sum += $2 } END { print sum }' "$mount/${place#*/}" >sum.txt
cat sum.txt
