/**
 * The small shell script over each task. It is all that stands between a task and the system once the cluster's
 * process is gone: it claims the task, runs the program, and writes down how that ended.
 *
 * It must run in any POSIX shell, hold no value of the task's environment in its command line, and change no
 * variable that the program sees: hence the odd names.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How the wrapper ends when another one has claimed the task. */
export const CLAIM_LOST = 73;

/**
 * Arguments: the task's directory, that of its secrets or nothing, the program, its arguments. Descriptors 3 and 4: the program's output.
 *
 * - The claim is a hard link, so it appears whole or not at all, and once: two wrappers never run one task.
 * - Signals are ignored until the claim stands, then caught, so that the program starts with none ignored, while the
 *   wrapper lives through a stop signal sent to its whole group. One that comes before the program runs counts.
 * - The program runs in the foreground: in the background, POSIX shells would make it ignore SIGINT and SIGQUIT.
 * - Secrets go as soon as the exit is written down, also when no driver is open then.
 * - In the end everything of the group is killed, so that no grandchild outlives the task.
 */
const script = (tools: { readonly ln: string; readonly mv: string; readonly rm: string }) => `#!/bin/sh
# Skep's wrapper over one task. See wrapper.ts of @skep/process-driver.
trap '' HUP INT QUIT ABRT USR1 USR2 ALRM TERM
_skep_dir=$1
_skep_files=$2
shift 2
_skep_start= _skep_boot= _skep_stopped=
_skep_field() { shift 19; _skep_start=$1; }
if read -r _skep_stat < "/proc/$$/stat"; then
  _skep_field \${_skep_stat##*) }
  read -r _skep_boot < /proc/sys/kernel/random/boot_id
else
  _skep_start=$(PATH=/bin:/usr/bin LC_ALL=C TZ=UTC ps -o lstart= -p $$)
fi
printf '%s\\n%s\\n%s\\n' "$$" "$_skep_start" "$_skep_boot" > "$_skep_dir/claim.$$" || exit 74
${tools.ln} "$_skep_dir/claim.$$" "$_skep_dir/claim" || exit ${CLAIM_LOST}
trap '_skep_stopped=1' HUP INT QUIT ABRT USR1 USR2 ALRM TERM
if [ -n "$_skep_stopped" ]; then
  _skep_code=143
else
  "$@" >&3 2>&4 3>&- 4>&-
  _skep_code=$?
fi
trap '' HUP INT QUIT ABRT USR1 USR2 ALRM TERM
printf '%s\\n' "$_skep_code" > "$_skep_dir/exit.tmp" && ${tools.mv} "$_skep_dir/exit.tmp" "$_skep_dir/exit"
[ -n "$_skep_files" ] && ${tools.rm} -rf "$_skep_files"
kill -s KILL 0
`;

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** Where the tools are, by one run of the shell. */
function findTools(shell: string): Parameters<typeof script>[0] {
  const search = 'PATH=/bin:/usr/bin:$PATH; command -v ln && command -v mv && command -v rm';
  const found = execFileSync(shell, ['-c', search], { encoding: 'utf8' });
  const [ln = '', mv = '', rm = ''] = found.trim().split('\n').map(quoted);
  return { ln, mv, rm };
}

/** Writes the wrapper out, unless it is there as it should be. Running ones keep the one that they began with. */
export function writeWrapper(dir: string, shell: string): string {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, 'task.sh');
  const text = script(findTools(shell));
  try {
    if (readFileSync(file, 'utf8') === text) return file;
  } catch {
    // Not there yet.
  }
  const fresh = join(dir, `task.sh.${process.pid}`);
  writeFileSync(fresh, text, { mode: 0o700 });
  renameSync(fresh, file);
  return file;
}
