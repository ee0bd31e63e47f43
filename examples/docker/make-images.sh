#!/bin/sh
# Makes the images of examples/stacks/hello.yaml on the engine at DOCKER_HOST, from this machine's statically linked
# busybox (Debian: apt-get install busybox-static). No registry is asked.
set -eu

make_image() {
  tar -C / -c bin/busybox | docker import --change "CMD [\"/bin/busybox\", \"sh\", \"-c\", \"$2\"]" - "$1"
}

make_image skep-hello-web 'busybox mkdir -p /www && echo ok > /www/health \
&& echo $GREETING: task $SKEP_TASK_NAME, slot $SKEP_TASK_SLOT, node $SKEP_NODE_HOSTNAME > /www/index.html \
&& exec busybox httpd -f -p 80 -h /www'
make_image skep-hello-worker 'while :; do echo tick from $SKEP_TASK_NAME; busybox sleep $TICK_SECONDS; done'
