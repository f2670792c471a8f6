#!/bin/sh
# Asks who you are, and greets.
printf 'What is your name? '
read -r name || exit 1
echo "Hello $name, this is $(uname -n)."
