#!/bin/sh
# Stands in for an image where tasks are processes: says what it was given, and goes on until it is asked to end.
echo "started $*"
case "$1" in
  true) exit 0 ;;
  false) exit 1 ;;
esac
trap 'exit 0' TERM
while :; do
  sleep 1 &
  wait $!
done
