#!/bin/sh
# Estimate pi: throw points into the unit square, count those in the quarter circle.
# usage: pi.sh PARAMETERS RESULT TITLE      environment: PI_SEED
. "./$1"
echo "Throwing $points points at the $3 on $(hostname), seed $PI_SEED"
awk -v n="$points" -v seed="$PI_SEED" 'BEGIN {
    srand(seed)
    for (i = 0; i < n; i++) { x = rand(); y = rand(); if (x * x + y * y <= 1) hits++ }
    pi = 4 * hits / n
    printf "pi = %.5f +- %.5f (%d of %d points)\n", pi, 4 * sqrt(hits / n * (1 - hits / n) / n), hits, n
}' > "$2"
echo "The result is in $2"
