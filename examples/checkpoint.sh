#!/bin/sh
# Does one step after the other, adds up their lengths, and saves the state behind each.
set -eu
while step=$(wms-chkpt step); do
    sum=$(($(wms-chkpt get sum || echo 0) + ${#step}))
    echo "step $step, sum $sum"
    wms-chkpt set sum "$sum"
    wms-chkpt next || true
    wms-chkpt save "$step"
done
