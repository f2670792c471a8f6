#!/bin/sh
# Puts the output of all parts together, in the order of the steps.
sort -n Partition_*/part.out
