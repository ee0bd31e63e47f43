/** What `skepd` is told on its command line. */

import { readFileSync } from 'node:fs';
import { hostname as machineName } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** Where the API is served. */
export type ApiAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Files of a server that only takes clients which prove who they are. */
export interface TlsFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** All of it, checked. */
export interface DaemonOptions {
  readonly dataRoot: string;
  readonly hosts: readonly ApiAddress[];
  readonly driver: 'docker' | 'process';
  /** The engine below the node. */
  readonly engine: string | undefined;
  readonly programs: string | undefined;
  readonly anyCommand: boolean;
  readonly pidfile: string | undefined;
  readonly hostname: string;
  readonly address: string | undefined;
  readonly tls: TlsFiles | undefined;
  readonly insecureTcp: boolean;
  readonly stopTasks: boolean;
}

/** A command line that breaks a rule. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What `--help` prints. */
export const USAGE = `usage: skepd --data-root DIR -H unix://SOCKET [-H tcp://HOST:PORT] [options]

One member of a Skep cluster behind the Docker Engine API. It starts in no swarm: \`docker swarm init\` and
\`docker swarm join\` make it a member, and a restart goes on with what the data root holds.

  --data-root DIR      what the node keeps: its identity, its keys, its part of the log
  -H, --host ADDRESS   unix:///path, or tcp://host:port with the three files of --tls…; may be given several times
  --driver NAME        what runs tasks: docker (default where --engine is given) or process
  --engine ADDRESS     the Docker Engine below this node: unix:///path or tcp://host:port
  --programs FILE      programs that tasks of the process driver may run, as JSON: {"web": {"command": "node", …}}
  --any-command        let specs bring a command of their own: whoever may use the API runs anything as this user
  --hostname NAME      default: the machine's name
  --address HOST:PORT  where it listens and is reached as a manager, unless the client says where
  --pidfile FILE       holds the process id while it runs
  --stop-tasks         stop the node's tasks when it is ended (default: they run on, and are taken up again)
  --tlscacert FILE     certificates of the CA whose clients may use a tcp:// address
  --tlscert FILE       the server's certificate
  --tlskey FILE        the server's key
  --insecure-tcp       serve a tcp:// address without TLS: whoever reaches it may run anything on the cluster
`;

/**
 * Reads the command line. Undefined when help is asked for.
 *
 * @throws UsageError
 */
export function readOptions(args: readonly string[]): DaemonOptions | undefined {
  const values = valuesOf(args);
  if (values.help) return undefined;
  const { engine, pidfile, programs, address } = values;
  const hosts = (values.host ?? []).map(parseHost);
  if (values['data-root'] === undefined) throw new UsageError('--data-root must name a directory');
  if (hosts.length === 0) throw new UsageError('-H must name a socket: unix:///path');
  const driver = values.driver ?? (engine === undefined ? 'process' : 'docker');
  if (driver !== 'docker' && driver !== 'process') throw new UsageError('--driver must be docker or process');
  const tls = tlsOf(values);
  const insecureTcp = values['insecure-tcp'] ?? false;
  if (hosts.some(({ kind }) => kind === 'tcp') && tls === undefined && !insecureTcp) {
    throw new UsageError(
      'a tcp:// address needs --tlscacert, --tlscert and --tlskey; without TLS it is served only with --insecure-tcp',
    );
  }
  return {
    dataRoot: resolve(values['data-root']),
    ...{ hosts, driver, engine, programs, pidfile, address, tls, insecureTcp },
    anyCommand: values['any-command'] ?? false,
    hostname: values.hostname ?? machineName(),
    stopTasks: values['stop-tasks'] ?? false,
  };
}

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h' },
        'data-root': { type: 'string' },
        host: { type: 'string', short: 'H', multiple: true },
        driver: { type: 'string' },
        engine: { type: 'string' },
        programs: { type: 'string' },
        'any-command': { type: 'boolean' },
        hostname: { type: 'string' },
        address: { type: 'string' },
        pidfile: { type: 'string' },
        'stop-tasks': { type: 'boolean' },
        tlscacert: { type: 'string' },
        tlscert: { type: 'string' },
        tlskey: { type: 'string' },
        'insecure-tcp': { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function parseHost(text: string): ApiAddress {
  const path = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const [, host, port] = /^tcp:\/\/(\[[0-9a-fA-F:]+\]|[^/:]+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535) {
    throw new UsageError(`-H must be unix:///path or tcp://host:port, not '${text}'`);
  }
  return { kind: 'tcp', host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

function tlsOf(values: ReturnType<typeof valuesOf>): TlsFiles | undefined {
  const { tlscacert, tlscert, tlskey } = values;
  const given = [tlscacert, tlscert, tlskey].filter((file) => file !== undefined).length;
  if (given === 0) return undefined;
  if (tlscacert === undefined || tlscert === undefined || tlskey === undefined) {
    throw new UsageError('--tlscacert, --tlscert and --tlskey go together');
  }
  const read = (option: string, file: string) => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      throw new UsageError(`${option}: ${(error as Error).message}`);
    }
  };
  return {
    ca: read('--tlscacert', tlscacert),
    certificate: read('--tlscert', tlscert),
    key: read('--tlskey', tlskey),
  };
}
