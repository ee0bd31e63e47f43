import { describe, expect, it } from 'vitest';
import { Fields } from './fields.ts';
import { Filters } from './filters.ts';
import { millisOf, nanos } from './time.ts';

describe('given JSON as Go reads it', () => {
  it('when names differ in case, then the fields are found, and the last one of a name wins', () => {
    const fields = new Fields({ NAME: 'a', Mode: { replicated: { Replicas: 2 } }, name: 'b' });
    expect(fields.text('Name')).toBe('b');
    expect(fields.fields('mode')?.fields('Replicated')?.natural('replicas')).toBe(2);
  });

  it('when a field is null, then it is absent', () => {
    const fields = new Fields({ Labels: null, Ports: null, Name: null, Spec: null });
    expect([
      fields.textMap('Labels'),
      fields.list('Ports'),
      fields.text('Name'),
      fields.fields('Spec'),
    ]).toEqual([{}, [], undefined, undefined]);
  });

  it('when a map is read, then its names keep their case', () => {
    expect(new Fields({ Labels: { Tier: 'a', tier: 'b' } }).textMap('labels')).toEqual({
      Tier: 'a',
      tier: 'b',
    });
  });

  it.each([
    [{ Name: 1 }, (fields: Fields) => fields.text('Name'), 'Name must be a string'],
    [{ Args: ['a', 1] }, (fields: Fields) => fields.texts('Args'), 'Args[1] must be a string'],
    [{ Ports: {} }, (fields: Fields) => fields.list('Ports'), 'Ports must be an array'],
    [{ Ports: [1] }, (fields: Fields) => fields.list('Ports'), 'Ports[0] must be an object'],
    [
      { Replicas: 1.5 },
      (fields: Fields) => fields.natural('Replicas'),
      'Replicas must be a whole number, 0 or more',
    ],
    [
      { Replicas: -1 },
      (fields: Fields) => fields.natural('Replicas'),
      'Replicas must be a whole number, 0 or more',
    ],
    [{ Init: 'yes' }, (fields: Fields) => fields.flag('Init'), 'Init must be true or false'],
    [{ Labels: { a: 1 } }, (fields: Fields) => fields.textMap('Labels'), 'Labels[a] must be a string'],
  ])('when %j has the wrong type, then it is refused by its path', (value, read, told) => {
    expect(() => read(new Fields(value))).toThrow(`invalid JSON: ${told}`);
  });
});

describe('given the filters of a list', () => {
  it.each([
    ['as maps', '{"name":{"web":true,"db":true},"label":{"a=1":true}}'],
    ['as lists', '{"name":["web","db"],"label":["a=1"]}'],
  ])('when they come %s, then they mean the same', (_, text) => {
    const filters = Filters.parse(text, ['name', 'label']);
    expect(filters.get('name')).toEqual(['web', 'db']);
    expect(filters.passesLabels('label', { a: '1' })).toBe(true);
    expect(filters.passesLabels('label', { a: '2' })).toBe(false);
    expect(filters.passes('name', (name) => name === 'db')).toBe(true);
  });

  it('when a name is unknown or the text is no JSON, then the engine’s words refuse it', () => {
    expect(() => Filters.parse('{"nosuch":["x"]}', ['name'])).toThrow("invalid filter 'nosuch'");
    for (const text of ['notjson', '[]', '1', '{"name":1}']) {
      expect(() => Filters.parse(text, ['name'])).toThrow('invalid filter');
    }
  });

  it('when a flag is asked for, then it is read in every spelling', () => {
    const flag = (text: string) => Filters.parse(text, ['_up-to-date']).flag('_up-to-date');
    expect(flag('{"_up-to-date":{"true":true}}')).toBe(true);
    expect(flag('{"_up-to-date":["1"]}')).toBe(true);
    expect(flag('{"_up-to-date":["false"]}')).toBe(false);
    expect(flag('{}')).toBeUndefined();
    expect(() => flag('{"_up-to-date":["maybe"]}')).toThrow('invalid filter');
  });
});

describe('given durations', () => {
  it('when one is less than a millisecond, then it is one, since none would be another thing', () => {
    expect([millisOf(1), millisOf(0), millisOf(5_000_000_000), nanos(5_000)]).toEqual([
      1, 0, 5_000, 5_000_000_000,
    ]);
  });
});
