/**
 * The shell scripts under a private engine. They keep one promise: however the program that asked for the engine
 * ends, nothing of the engine is left. The engine lives in process and mount namespaces of its own, held by a process
 * that reads from the program's pipe; when the pipe closes, the kernel ends every process of the namespaces and drops
 * every mount, and the outer script removes what is left: the bridge, the control groups, the directory.
 *
 * The network is the machine's own, so that published ports are reached on its loopback. No packet filter is touched.
 */

/**
 * Arguments: the directory, `busybox`, and what runs inside. Takes a free number, which names the bridge
 * (`skep-e7`), its subnet (10.213.7.0/24) and the control group, and tells it on the first line.
 */
export const OUTER_SCRIPT = `
trap '' HUP INT TERM
dir=$1 busybox=$2
shift 2
# A bridge of an engine whose script was killed itself: its owner's id stands in the alias.
for alias in /sys/class/net/skep-e*/ifalias; do
  owner=$(cat "$alias" 2>/dev/null) || continue
  link=\${alias%/ifalias}
  [ -n "$owner" ] && [ ! -d "/proc/$owner" ] && $busybox ip link del dev "\${link##*/}" 2>/dev/null
done
number=$(( $$ % 256 )) tries=0
until $busybox ip link add "skep-e$number" type bridge 2>/dev/null; do
  number=$(( (number + 1) % 256 )) tries=$(( tries + 1 ))
  if [ $tries -gt 255 ]; then
    echo "no bridge could be made: $($busybox ip link add "skep-e$number" type bridge 2>&1)"
    rm -rf "$dir"
    exit 1
  fi
done
bridge=skep-e$number
# In a namespace that is another one than that of /sys, the bridge goes with the namespace.
[ -e "/sys/class/net/$bridge" ] && echo $$ > "/sys/class/net/$bridge/ifalias"
$busybox ip addr add "10.213.$number.1/24" dev "$bridge"
$busybox ip link set dev "$bridge" up
echo "number $number"
unshare --pid --mount --fork --kill-child --mount-proc "$@" "$dir" "$bridge"
$busybox ip link del dev "$bridge"
for group in "/sys/fs/cgroup/$bridge" /sys/fs/cgroup/*/"$bridge"; do
  [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} +
done
rm -rf "$dir"
`;

/**
 * Arguments: user group of the socket, the directory, the bridge. Takes commands on its input, a line each, and
 * answers each with a line: `start FLAG…`, `kill` (SIGKILL to the engine alone), `stop` (SIGTERM, waits), `pause` and
 * `resume` (the engine stands still), and `mounts` (mounts below the directory, then a line `.`).
 */
export const INNER_SCRIPT = `
group=$1 dir=$2 bridge=$3
mount -t tmpfs tmpfs /run
engine=
while read -r command flags; do
  case $command in
    start)
      # shellcheck disable=SC2086
      dockerd --config-file "$dir/engine.json" --data-root "$dir/data" --exec-root "$dir/exec" \\
        --pidfile "$dir/engine.pid" --host "unix://$dir/engine.sock" --group "$group" \\
        --bridge "$bridge" --iptables=false --ip6tables=false --ip-masq=false --ip-forward=false \\
        --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$bridge" $flags \\
        >> "$dir/engine.log" 2>&1 < /dev/null &
      engine=$!
      echo started
      ;;
    kill) kill -KILL "$engine"; wait "$engine"; rm -f "$dir/engine.pid"; echo killed ;;
    stop) kill -TERM "$engine"; wait "$engine"; echo stopped ;;
    pause) kill -STOP "$engine"; echo paused ;;
    resume) kill -CONT "$engine"; echo resumed ;;
    mounts) grep -o " $dir/[^ ]*" /proc/self/mounts; echo . ;;
  esac
done 2>> "$dir/engine.log"
`;
