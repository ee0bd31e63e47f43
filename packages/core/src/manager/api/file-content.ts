/** The rules for what stands in secrets and configs. */

import { InvalidSpecError } from '../../errors.ts';
import { parseTemplate } from '../../model/template.ts';

/** @throws InvalidSpecError, which quotes nothing of the content. */
export function checkContent(
  data: Uint8Array,
  { bytesMax, template }: { readonly bytesMax: number; readonly template: boolean | undefined },
): void {
  if (data.length === 0 || data.length >= bytesMax) {
    throw new InvalidSpecError([
      { field: 'data', rule: `must have at least 1 and fewer than ${bytesMax} bytes` },
    ]);
  }
  if (!template) return;
  try {
    parseTemplate(new TextDecoder('utf-8', { fatal: true }).decode(data), 'file');
  } catch (error) {
    const rule =
      error instanceof TypeError ? 'must be UTF-8 text to be a template' : (error as Error).message;
    throw new InvalidSpecError([{ field: 'data', rule }]);
  }
}
