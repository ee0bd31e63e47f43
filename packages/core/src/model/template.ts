/**
 * Templates in what a task is given: `{{.Node.Hostname}}` in an environment variable, a hostname, a mount or a file.
 * The part of Go's text/template that Docker documents for services: fields, `index .Service.Labels "name"`, text in
 * quotes, and in files `env`, `secret` and `config`. Anything else is refused when the spec comes in, so that no task
 * fails for it later.
 */

/** What templates can tell: of the service, of the node that runs the task, and of the task itself. */
export interface TemplateContext {
  readonly service: {
    readonly id: string;
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly node: {
    readonly id: string;
    readonly hostname: string;
    readonly platform: { readonly os: string; readonly architecture: string };
  };
  readonly task: {
    readonly id: string;
    readonly name: string;
    /** Number of the slot; in a global service, which has none, the node's id. */
    readonly slot: string;
  };
}

/** What a file's template can look up besides, each by name. Throws {@link TemplateError} for what is not there. */
export interface FileLookups {
  readonly env: (name: string) => string;
  readonly secret: (target: string) => string;
  readonly config: (target: string) => string;
}

/**
 * A text is no template, or names what is not there. It quotes texts of specs, which are shown anyway, and never those
 * of files, which may be secret.
 */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

/** The fields that a template names, such as `.Task.Slot`. */
export function fieldsOf(template: Template): string[] {
  return template.flatMap((part) => (part.kind === 'field' ? [part.field] : []));
}

/** Where a template stands: files may look up the task's variables and other files, specs may not. */
export type TemplatePlace = 'spec' | 'file';

type Lookup = keyof FileLookups;

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'field'; readonly field: Field }
  | { readonly kind: 'label'; readonly name: string }
  | { readonly kind: 'lookup'; readonly what: Lookup; readonly name: string };

/** A parsed text. */
export type Template = readonly Part[];

const FIELDS = {
  '.Service.ID': ({ service }) => service.id,
  '.Service.Name': ({ service }) => service.name,
  '.Node.ID': ({ node }) => node.id,
  '.Node.Hostname': ({ node }) => node.hostname,
  '.Node.Platform.OS': ({ node }) => node.platform.os,
  '.Node.Platform.Architecture': ({ node }) => node.platform.architecture,
  '.Task.ID': ({ task }) => task.id,
  '.Task.Name': ({ task }) => task.name,
  '.Task.Slot': ({ task }) => task.slot,
} as const satisfies Record<string, (context: TemplateContext) => string>;
type Field = keyof typeof FIELDS;

const LOOKUPS: readonly Lookup[] = ['env', 'secret', 'config'];

/** An action: opening with an optional trim mark, what stands inside (texts in quotes whole), closing. */
const ACTION = /\{\{(-\s)?((?:[^"`}]|"(?:[^"\\\n]|\\.)*"|`[^`]*`|\}(?!\}))*?)(\s-)?\}\}/y;
const WORD = /\s*(?:("(?:[^"\\\n]|\\.)*"|`[^`]*`)|([^\s"`]+))/y;

/** Whether a text has anything to expand: most have not, and cost no more than this look. */
export function isTemplate(text: string): boolean {
  return text.includes('{{');
}

/**
 * Parses a text.
 *
 * @throws TemplateError naming what can't be understood.
 */
export function parseTemplate(text: string, place: TemplatePlace = 'spec'): Template {
  const parts: Part[] = [];
  let at = 0;
  let trimNext = false;
  const addText = (piece: string) => {
    const trimmed = trimNext ? piece.trimStart() : piece;
    if (trimmed !== '') parts.push({ kind: 'text', text: trimmed });
  };
  for (;;) {
    const opening = text.indexOf('{{', at);
    if (opening === -1) {
      addText(text.slice(at));
      return parts;
    }
    ACTION.lastIndex = opening;
    const action = ACTION.exec(text);
    if (!action) throw refusal(text.slice(opening), 'has no end', { at: opening, place });
    const [whole, trimBefore, inside = '', trimAfter] = action;
    const before = text.slice(at, opening);
    addText(trimBefore === undefined ? before : before.trimEnd());
    parts.push(parseAction(inside, { at: opening, place }));
    trimNext = trimAfter !== undefined;
    at = opening + whole.length;
  }
}

/** Where an action stands. */
interface Spot {
  readonly at: number;
  readonly place: TemplatePlace;
}

function refusal(action: string, why: string, { at, place }: Spot): TemplateError {
  if (place === 'file') return new TemplateError(`the template at character ${at + 1} ${why}`);
  return new TemplateError(`'${action.length > 40 ? `${action.slice(0, 40)}…` : action}' ${why}`);
}

function parseAction(inside: string, spot: Spot): Part {
  const words = wordsOf(inside);
  const [first, second, third] = words ?? [];
  if (first && words?.length === 1) {
    if (first.quoted) return { kind: 'text', text: first.text };
    if (isField(first.text)) return { kind: 'field', field: first.text };
  }
  const isIndex = first?.text === 'index' && !first.quoted;
  if (words?.length === 3 && isIndex && second?.text === '.Service.Labels' && third?.quoted) {
    return { kind: 'label', name: third.text };
  }
  const lookup = LOOKUPS.find((each) => !first?.quoted && each === first?.text);
  if (lookup !== undefined && words?.length === 2 && second?.quoted) {
    if (spot.place === 'file') return { kind: 'lookup', what: lookup, name: second.text };
    throw new TemplateError(`'${lookup}' can be used in the text of configs and secrets only`);
  }
  const known = [...Object.keys(FIELDS), 'index .Service.Labels "NAME"'].join(', ');
  throw refusal(`{{${inside}}}`, `is not understood; there are ${known}`, spot);
}

interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

/** The words of an action; undefined when it can't be told apart into words. */
function wordsOf(inside: string): Word[] | undefined {
  const words: Word[] = [];
  const end = inside.trimEnd().length;
  WORD.lastIndex = 0;
  while (WORD.lastIndex < end) {
    const [, quoted, bare = ''] = WORD.exec(inside) ?? [];
    if (quoted === undefined && bare === '') return undefined;
    const text = quoted === undefined ? bare : unquoted(quoted);
    if (text === undefined) return undefined;
    words.push({ text, quoted: quoted !== undefined });
  }
  return words;
}

function unquoted(literal: string): string | undefined {
  if (literal.startsWith('`')) return literal.slice(1, -1);
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}

function isField(text: string): text is Field {
  return Object.hasOwn(FIELDS, text);
}

/**
 * Fills a template in.
 *
 * @throws TemplateError for a lookup that finds nothing.
 */
export function expandTemplate(template: Template, context: TemplateContext, lookups?: FileLookups): string {
  return template.map((part) => expandPart(part, context, lookups)).join('');
}

function expandPart(part: Part, context: TemplateContext, lookups: FileLookups | undefined): string {
  switch (part.kind) {
    case 'text':
      return part.text;
    case 'field':
      return FIELDS[part.field](context);
    case 'label': {
      const { labels } = context.service;
      return Object.hasOwn(labels, part.name) ? (labels[part.name] ?? '') : '';
    }
    case 'lookup':
      if (!lookups) throw new TemplateError(`'${part.what}' can't be looked up here`);
      return lookups[part.what](part.name);
  }
}
