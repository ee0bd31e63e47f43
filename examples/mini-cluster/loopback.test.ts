import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { holdAddresses } from './loopback.ts';

const three = [undefined, undefined, undefined];
const firstPlace = 201;

describe.runIf(process.platform === 'linux')('given a machine that answers on all of 127.0.0.0/8', () => {
  it('when addresses are held, then each is in a range of its own, which nobody else gets', async () => {
    using one = await holdAddresses({ before: three, firstPlace });
    using other = await holdAddresses({ before: three, firstPlace });
    const hosts = [...one.addresses, ...other.addresses].map(({ host }) => host);
    expect(new Set(hosts).size).toBe(6);
    for (const host of hosts) expect(host).toMatch(/^127\.\d+\.0\.1$/);
  });
});

describe('given a machine with one loopback address', () => {
  it('when addresses are held, then they differ by their ports', async () => {
    using held = await holdAddresses({ before: three, firstPlace, platform: 'darwin' });
    expect(held.addresses.map(({ host }) => host)).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.1']);
    expect(new Set(held.addresses.map(({ port }) => port)).size).toBe(3);
  });
});

describe('given nodes that were here before', () => {
  it('when they come again, then each gets the address that it had, once that is free', async () => {
    const { addresses: before, ...held } = await holdAddresses({ before: three, firstPlace });
    const [first] = before;
    const late = createServer();
    await new Promise<void>((resolve) => late.listen(first?.port, first?.host, resolve));
    held[Symbol.dispose]();
    const again = holdAddresses({ before, firstPlace });
    late.close();
    using taken = await again;
    expect(taken.addresses).toEqual(before);
  });
});
