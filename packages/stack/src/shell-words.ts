/**
 * Splits `command: node server.js "a b"` into words as a POSIX shell would, without running one: quotes and
 * backslashes count, and nothing is expanded.
 */

/** The words, or the rule that the text breaks. */
export function splitShellWords(text: string): readonly string[] | { readonly rule: string } {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let index = 0; index < text.length; index += 1) {
    const letter = text.charAt(index);
    const next = text.charAt(index + 1);
    if (quote === "'") {
      if (letter === "'") quote = '';
      else word = (word ?? '') + letter;
    } else if (letter === '\\' && (quote === '' || '\\"$`\n'.includes(next) || next === '')) {
      if (next === '') return { rule: 'must not end with a lone backslash' };
      // A backslash before a line break joins the lines.
      if (next !== '\n') word = (word ?? '') + next;
      index += 1;
    } else if (quote === '"') {
      if (letter === '"') quote = '';
      else word = (word ?? '') + letter;
    } else if (letter === '"' || letter === "'") {
      quote = letter;
      word ??= '';
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + letter;
    }
  }
  if (quote !== '') return { rule: `has a ${quote} that is never closed` };
  if (word !== undefined) words.push(word);
  return words;
}
