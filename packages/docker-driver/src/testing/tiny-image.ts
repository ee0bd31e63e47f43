/** A root file system of one program, as the tar archive that an engine imports. */

import { readFile } from 'node:fs/promises';

const BLOCK = 512;

/** The programs of busybox that tests use, each a link to it. */
const LINKS = [
  'sh',
  'sleep',
  'true',
  'false',
  'cat',
  'echo',
  'ls',
  'id',
  'pwd',
  'env',
  'hostname',
  'kill',
  'nc',
  'httpd',
];
const MORE_LINKS = [
  'head',
  'tail',
  'dd',
  'mount',
  'stty',
  'tty',
  'mkdir',
  'rm',
  'touch',
  'printf',
  'wget',
  'test',
  'stat',
  'ps',
];

const DIRECTORIES = ['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp'];

/** Makes it from a statically linked busybox. */
export async function tinyImage(busybox: string): Promise<Buffer> {
  const program = await readFile(busybox);
  return Buffer.concat([
    ...DIRECTORIES.map((name) =>
      header({ name: `${name}/`, type: '5', mode: name === 'tmp' ? 0o1777 : 0o755 }),
    ),
    header({ name: 'bin/busybox', type: '0', mode: 0o755, size: program.length }),
    program,
    Buffer.alloc((BLOCK - (program.length % BLOCK)) % BLOCK),
    ...[...LINKS, ...MORE_LINKS].map((name) =>
      header({ name: `bin/${name}`, type: '2', mode: 0o777, link: 'busybox' }),
    ),
    ...file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000::/:/bin/sh\n'),
    ...file('etc/group', 'root:x:0:\nguest:x:1000:\n'),
    Buffer.alloc(2 * BLOCK),
  ]);
}

function file(name: string, text: string): readonly Buffer[] {
  const data = Buffer.from(text);
  return [
    header({ name, type: '0', mode: 0o644, size: data.length }),
    data,
    Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK),
  ];
}

/** One header of a ustar archive (POSIX.1-1988). */
function header(entry: {
  readonly name: string;
  readonly type: '0' | '2' | '5';
  readonly mode: number;
  readonly size?: number;
  readonly link?: string;
}): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'ascii');
  block.write(entry.name, 0, 'ascii');
  octal(entry.mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(entry.size ?? 0, 124, 12);
  octal(0, 136, 12);
  block.write('        ', 148, 'ascii');
  block.write(entry.type, 156, 'ascii');
  block.write(entry.link ?? '', 157, 'ascii');
  block.write('ustar\u000000', 257, 'ascii');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return block;
}
