/**
 * Measures how deep a YAML text nests before it is parsed. The YAML library recurses a few calls a level, and a
 * stack that runs full inside a regular expression ends the whole process instead of throwing; so a tower of
 * brackets must be seen while it is still a flat row of tokens.
 */

import { Lexer } from 'yaml';

/** What the lexer puts before the text of a scalar, so that a scalar `[` is no bracket. */
const SCALAR_FOLLOWS = '\x1f';

/**
 * The offset at which a text nests deeper than `depthMax`, counted in brackets that are open, in indents that enclose
 * each other, and in colons on one line; `undefined` if it nowhere does.
 */
export function findTooDeep(text: string, depthMax: number): number | undefined {
  let offset = 0;
  let column = 0;
  let isLineStart = true;
  let isScalar = false;
  let brackets = 0;
  let colons = 0;
  const indents: number[] = [];
  for (const token of new Lexer().lex(text)) {
    if (token === SCALAR_FOLLOWS) {
      isScalar = true;
      continue;
    }
    // Marks for the start of a document and the end of a flow collection are no part of the text.
    if (token === '\x02' || token === '\x18') continue;
    const first = isScalar ? '' : token.charAt(0);
    const isSpace = first === ' ' || first === '\t' || first === '\n' || first === '\r' || first === '#';
    if (first === '[' || first === '{') brackets += 1;
    else if (first === ']' || first === '}') brackets = Math.max(0, brackets - 1);
    else if (brackets === 0 && !isSpace) {
      if (isLineStart) colons = 0;
      if (first === ':') colons += 1;
      if (isLineStart || first === '-' || first === '?') enter(indents, column);
    }
    if (Math.max(brackets, indents.length, colons) > depthMax) return offset;
    offset += token.length;
    const lineBreak = token.lastIndexOf('\n');
    column = lineBreak < 0 ? column + token.length : token.length - lineBreak - 1;
    isLineStart = lineBreak >= 0 || (isLineStart && isSpace);
    isScalar = false;
  }
  return undefined;
}

/** Leaves the indents that this column is not within, and notes it as the innermost. */
function enter(indents: number[], column: number): void {
  while ((indents.at(-1) ?? -1) > column) indents.pop();
  if (indents.at(-1) !== column) indents.push(column);
}
