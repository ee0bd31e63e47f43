import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandTemplate, parseTemplate, type TemplateContext, TemplateError } from './template.ts';

const context: TemplateContext = {
  service: { id: 's1', name: 'web', labels: { tier: 'front', odd: '{{.Task.ID}}' } },
  node: { id: 'n1', hostname: 'rack-a', platform: { os: 'linux', architecture: 'x86_64' } },
  task: { id: 't1', name: 'web.2.t1', slot: '2' },
};
const expand = (text: string) => expandTemplate(parseTemplate(text), context);

describe('templates', () => {
  it.each([
    ['{{.Node.Hostname}}-{{.Task.Slot}}', 'rack-a-2'],
    ['{{ .Service.Name }}/{{.Service.ID}}', 'web/s1'],
    ['{{.Task.Name}} {{.Task.ID}} {{.Node.ID}}', 'web.2.t1 t1 n1'],
    ['{{.Node.Platform.OS}}/{{.Node.Platform.Architecture}}', 'linux/x86_64'],
    ['{{index .Service.Labels "tier"}}|{{index .Service.Labels "none"}}', 'front|'],
    ['a {{- .Task.Slot -}} b', 'a2b'],
    ['{{"{{"}} and {{`}}`}}', '{{ and }}'],
    ['{{"a\\tb"}}', 'a\tb'],
    ['no template } } { {', 'no template } } { {'],
    ['', ''],
  ])('given %s, when expanded, then it is %s', (text, expanded) => {
    expect(expand(text)).toBe(expanded);
  });

  it('given a label that looks like a template, when expanded, then it stays as it is', () => {
    expect(expand('{{index .Service.Labels "odd"}}')).toBe('{{.Task.ID}}');
  });

  it.each([
    ['{{.Node.Hostname', 'has no end'],
    ['{{}}', 'is not understood'],
    ['{{.Node.Nmae}}', '.Node.Hostname'],
    ['{{range .Service.Labels}}', 'is not understood'],
    ['{{.Task.ID | upper}}', 'is not understood'],
    ['{{__proto__}}', 'is not understood'],
    ['{{env "HOME"}}', 'configs and secrets only'],
  ])('given %s, when parsed, then it is refused and says why', (text, reason) => {
    expect(() => parseTemplate(text)).toThrow(TemplateError);
    expect(() => parseTemplate(text)).toThrow(reason);
  });

  it('given a file that is no template, when parsed, then the refusal quotes nothing of it', () => {
    expect(() => parseTemplate('key={{hunter2}}', 'file')).toThrow(/at character 5 is not understood/);
    expect(() => parseTemplate('key={{hunter2}}', 'file')).not.toThrow('hunter2');
  });

  it('given a file, when it looks up variables and files, then it gets them', () => {
    const template = parseTemplate('{{env "MODE"}} {{secret "key"}} {{config "app"}}', 'file');
    const lookups = {
      env: (name: string) => `env:${name}`,
      secret: (name: string) => `secret:${name}`,
      config: (name: string) => `config:${name}`,
    };
    expect(expandTemplate(template, context, lookups)).toBe('env:MODE secret:key config:app');
  });

  it('given any text, when parsed, then it is understood or refused in words, and text alone stays the same', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('{', '}', '"', '`', '.', ' ', '-', 'a', '\\') }),
        (text) => {
          try {
            const expanded = expand(text);
            if (!text.includes('{{')) expect(expanded).toBe(text);
          } catch (error) {
            expect(error).toBeInstanceOf(TemplateError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
