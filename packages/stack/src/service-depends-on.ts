/** `depends_on` of services: what each waits for before its tasks start, checked against the rest of the file. */

import { type Dependency, findCycle, type ServiceSpecInput } from '@skep/core';
import { didYouMean } from './did-you-mean.ts';
import { readList, readMap } from './read-collections.ts';
import { readField, readFields } from './read-fields.ts';
import { readBoolean, readOneOf, readWord } from './read-values.ts';
import type { Keyed, Place, Read, Reading } from './reading.ts';
import type { Declared } from './service-references.ts';

const CONDITIONS = {
  service_started: 'started',
  service_healthy: 'healthy',
  service_completed_successfully: 'completed',
} as const;
const CONDITION_NAMES = Object.keys(CONDITIONS) as (keyof typeof CONDITIONS)[];

/** Reads a list of names, or a map of names with conditions. */
export function readDependsOn(reading: Reading, place: Place, declared: Declared): Dependency[] | undefined {
  const dependencies: Dependency[] = [];
  if (place.node.kind === 'list') {
    for (const item of readList(reading, place) ?? []) {
      const key = readWord(reading, item);
      if (key !== undefined && isDeclared(reading, item, key, declared))
        dependencies.push({ service: fullName(declared, key), condition: 'started' });
    }
    return dependencies;
  }
  for (const entry of readMap(reading, place) ?? []) {
    const told = readDependency(reading, entry);
    if (told === undefined) continue;
    const isLeftOut = !told.required && !declared.services.has(entry.key);
    if (!isLeftOut && isDeclared(reading, entry, entry.key, declared))
      dependencies.push({ service: fullName(declared, entry.key), condition: told.condition });
  }
  return dependencies;
}

const readDependency: Read<{ condition: Dependency['condition']; required: boolean }> = (reading, place) => {
  const fields = readFields(reading, place, {
    read: ['condition', 'required'],
    notInSwarm: { restart: 'a task waits for what it depends on, and is not restarted for it' },
  });
  if (fields === undefined) return undefined;
  const condition = readField(reading, fields.condition, readOneOf(CONDITION_NAMES));
  const required = readField(reading, fields.required, readBoolean) ?? true;
  if (fields.condition === undefined) return { condition: 'started', required };
  return condition && { condition: CONDITIONS[condition], required };
};

function isDeclared(reading: Reading, place: Place, key: string, { services }: Declared): boolean {
  if (services.has(key)) return true;
  reading.issue(place, `'${key}' is not declared under services${didYouMean(key, services)}`);
  return false;
}

function fullName({ stack }: Declared, key: string): string {
  return `${stack}_${key}`;
}

/** Notes what could never start: services that wait for each other, or for the end of what goes on. */
export function checkDependencies(
  reading: Reading,
  section: Place | undefined,
  specs: ReadonlyMap<string, ServiceSpecInput>,
): void {
  const byName = new Map([...specs.values()].map((spec) => [spec.name, spec]));
  const namesOf = (name: string) => byName.get(name)?.dependsOn?.map(({ service }) => service) ?? [];
  for (const entry of readField(reading, section, readMap) ?? []) {
    const spec = specs.get(entry.key);
    if (spec?.dependsOn === undefined) continue;
    const place = dependsOnOf(entry);
    const cycle = findCycle(spec.name, namesOf);
    if (cycle) reading.issue(place, `makes a cycle: ${cycle.join(' → ')}`);
    for (const { service, condition } of spec.dependsOn) {
      const mode = byName.get(service)?.mode ?? 'replicated';
      if (condition !== 'completed' || mode.endsWith('-job')) continue;
      reading.issue(
        place,
        `waits for ${service} to complete, which is no job: give it deploy.mode replicated-job`,
      );
    }
  }
}

function dependsOnOf(entry: Keyed): Place {
  const path = `${entry.path}.depends_on`;
  const found = entry.node.kind === 'map' ? entry.node.entries.get('depends_on') : undefined;
  return found ? { node: found.node, path, at: found.keyAt } : { ...entry, path };
}
