import { describe, expect, it } from 'vitest';
import { readOptions } from './daemon-options.ts';

const LEAST = ['--data-root', '/var/lib/skep', '-H', 'unix:///run/skep.sock'];

describe('given the command line of skepd', () => {
  it('when it says the least, then tasks are processes, and the rest is the default', () => {
    expect(readOptions(LEAST)).toMatchObject({
      dataRoot: '/var/lib/skep',
      hosts: [{ kind: 'unix', path: '/run/skep.sock' }],
      driver: 'process',
      insecureTcp: false,
      anyCommand: false,
      stopTasks: false,
    });
  });

  it('when an engine is named, then tasks are containers', () => {
    expect(readOptions([...LEAST, '--engine', 'unix:///var/run/docker.sock'])).toMatchObject({
      driver: 'docker',
    });
  });

  it('when TCP is asked for without TLS, then only if that is said by name', () => {
    const tcp = [...LEAST, '-H', 'tcp://[::1]:2375'];
    expect(() => readOptions(tcp)).toThrow('served only with --insecure-tcp');
    expect(readOptions([...tcp, '--insecure-tcp'])).toMatchObject({
      hosts: [{ kind: 'unix' }, { kind: 'tcp', host: '::1', port: 2375 }],
    });
  });

  it('when help is asked for, then nothing is started', () => {
    expect(readOptions(['--help'])).toBeUndefined();
  });

  it.each([
    [[], '--data-root must name a directory'],
    [['--data-root', '/x'], '-H must name a socket'],
    [
      ['--data-root', '/x', '-H', '/run/skep.sock'],
      "-H must be unix:///path or tcp://host:port, not '/run/skep.sock'",
    ],
    [[...LEAST, '-H', 'tcp://host:99999'], '-H must be unix:///path or tcp://host:port'],
    [[...LEAST, '--driver', 'podman'], '--driver must be docker or process'],
    [[...LEAST, '--tlskey', '/x'], '--tlscacert, --tlscert and --tlskey go together'],
    [[...LEAST, '--tlskey', '/no', '--tlscert', '/no', '--tlscacert', '/no'], '--tlscacert: ENOENT'],
    [[...LEAST, '--nosuch'], "Unknown option '--nosuch'"],
  ])('when %j breaks a rule, then that is told', (args, told) => {
    expect(() => readOptions(args)).toThrow(told);
  });
});
