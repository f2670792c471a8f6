#!/bin/sh
# A column of results for the numbers in the file `numbers`: their squares, or scaled by the factor in scale.txt.
case $1 in
square) awk '{ print $1 * $1 }' numbers ;;
scale) awk -v factor="$(cat scale.txt)" '{ print $1 * factor }' numbers ;;
esac
