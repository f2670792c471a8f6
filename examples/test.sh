#!/bin/sh
echo "Hello from $(hostname)"
echo "This line goes to the standard error" >&2
