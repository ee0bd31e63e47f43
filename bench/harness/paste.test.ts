import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pasteResults } from './paste.ts';
import { writeResults } from './results.ts';

test('given a page with marks and results, when they are pasted, then each stands between its own, and no other changes', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'skep-paste-'));
  try {
    const page = (log: string) =>
      `# Page\n\n<!-- results: log -->\n${log}\n<!-- end -->\n\n<!-- results: plan -->\n\nkept\n\n<!-- end -->\n`;
    await writeFile(join(dir, 'README.md'), page('old'));
    await writeResults(dir, { 'log.md': '| $1 |\n', 'other.md': 'nowhere\n' });
    expect(await pasteResults(join(dir, 'README.md'), dir)).toEqual(['log']);
    expect(await readFile(join(dir, 'README.md'), 'utf8')).toBe(page('\n| $1 |\n'));
  } finally {
    await rm(dir, { recursive: true });
  }
});
