/** What a service refers to: networks, secrets, configs and volumes, each checked against the rest of the file. */

import type { TaskSpecInput } from '@skep/core';
import { didYouMean } from './did-you-mean.ts';
import { readList, readMap, readTexts } from './read-collections.ts';
import { compact, readField, readFields } from './read-fields.ts';
import { readBoolean, readFileMode, readOneOf, readText, readWord } from './read-values.ts';
import { isEmpty, type Keyed, type Place, type Read, type Reading, shown } from './reading.ts';
import { type FileAccess, isAbsolutePath, resolvePath } from './stack-files.ts';
import { DEFAULT_NETWORK, type FileSource, type NetworkSource, type StackVolume } from './top-level.ts';

type NetworkReference = NonNullable<TaskSpecInput['networks']>[number];
type FileReference = NonNullable<TaskSpecInput['secrets']>[number];
type Mount = NonNullable<TaskSpecInput['mounts']>[number];

/** What the file declares beside its services. */
export interface Declared {
  readonly stack: string;
  /** Keys of the services. */
  readonly services: ReadonlySet<string>;
  readonly networks: ReadonlyMap<string, NetworkSource>;
  readonly volumes: ReadonlyMap<string, StackVolume>;
  readonly secrets: ReadonlyMap<string, FileSource>;
  readonly configs: ReadonlyMap<string, FileSource>;
  readonly access: FileAccess;
  /** Keys of the networks that some service is on. Filled as services are read. */
  readonly usedNetworks: Set<string>;
}

function undeclared(
  reading: Reading,
  place: Place,
  section: string,
  name: string,
  known: Iterable<string>,
): undefined {
  return reading.issue(
    place,
    `${shownName(place, name)} is not declared under ${section}${didYouMean(name, known)}`,
  );
}

/** The name as it was written, be it a key or a value. */
function shownName(place: Place, name: string): string {
  return place.node.kind === 'scalar' && place.node.value !== null ? shown(place) : `'${name}'`;
}

/** The networks of a service; the service's own name is an alias on each. Without any, the stack's default network. */
export function readServiceNetworks(
  reading: Reading,
  place: Place | undefined,
  service: Keyed,
  declared: Declared,
): readonly NetworkReference[] {
  const references: NetworkReference[] = [];
  const names = new Set<string>();
  const join = (at: Place, key: string, aliases: readonly string[]) => {
    const network = declared.networks.get(key);
    if (network === undefined) {
      undeclared(reading, at, 'networks', key, declared.networks.keys());
    } else if (names.has(network.name)) {
      reading.issue(at, `names the network '${key}' a second time`);
    } else {
      declared.usedNetworks.add(key);
      names.add(network.name);
      references.push({ name: network.name, aliases: [...new Set([service.key, ...aliases])] });
    }
  };
  if (place?.node.kind === 'map') {
    for (const entry of readMap(reading, place) ?? []) join(entry, entry.key, readAliases(reading, entry));
  } else if (place !== undefined) {
    for (const item of readList(reading, place) ?? []) {
      const key = readWord(reading, item);
      if (key !== undefined) join(item, key, []);
    }
  }
  const isNamed = place !== undefined && (place.node.kind === 'scalar' || hasAny(place));
  if (!isNamed) join(service, DEFAULT_NETWORK, []);
  return references;
}

function hasAny({ node }: Place): boolean {
  return node.kind === 'map' ? node.entries.size > 0 : node.kind === 'list' && node.items.length > 0;
}

function readAliases(reading: Reading, entry: Keyed): readonly string[] {
  if (isEmpty(entry)) return [];
  const fields = readFields(reading, entry, {
    read: ['aliases'],
    notInSwarm: {
      ipv4_address: 'addresses are given by the cluster',
      ipv6_address: 'addresses are given by the cluster',
      link_local_ips: '',
      mac_address: '',
      gw_priority: '',
      interface_name: '',
      priority: '',
    },
    notSupported: { driver_opts: '' },
  });
  return readField(reading, fields?.aliases, readTexts) ?? [];
}

/** The secrets or configs of a service. A file is named after its key in the stack file, not after the object. */
export function readFileReferences(
  reading: Reading,
  place: Place,
  section: 'secrets' | 'configs',
  declared: Declared,
): readonly FileReference[] {
  const references: FileReference[] = [];
  const targets = new Set<string>();
  for (const item of readList(reading, place) ?? []) {
    const reference = readFileReference(reading, item, section, declared[section]);
    if (reference === undefined) continue;
    const target = reference.target ?? reference.name;
    if (targets.has(target)) reading.issue(item, 'puts a second file in the same place');
    targets.add(target);
    references.push(reference);
  }
  return references;
}

function readFileReference(
  reading: Reading,
  item: Place,
  section: 'secrets' | 'configs',
  sources: ReadonlyMap<string, FileSource>,
): FileReference | undefined {
  const isShort = item.node.kind === 'scalar';
  const fields = isShort
    ? { source: item }
    : readFields(reading, item, {
        read: ['source', 'target', 'mode'],
        notSupported: {
          uid: 'the file belongs to the user of the task',
          gid: 'the file belongs to the user of the task',
        },
      });
  if (fields === undefined) return undefined;
  if (fields.source === undefined) return reading.issue(item, 'must have a source');
  const key = readWord(reading, fields.source);
  if (key === undefined) return undefined;
  const source = sources.get(key);
  if (source === undefined) return undeclared(reading, fields.source, section, key, sources.keys());
  const long: { readonly target?: Place; readonly mode?: Place } = isShort ? {} : fields;
  const mode = readField(reading, long.mode, readFileMode);
  if (long.mode !== undefined && mode !== undefined && mode > 0o777) {
    return reading.issue(long.mode, 'must be at most 0777');
  }
  return compact({ name: source.name, target: readField(reading, long.target, readWord) ?? key, mode });
}

/** The mounts of a service: `volumes` in both forms, and `tmpfs`. */
export function readMounts(
  reading: Reading,
  volumes: Place | undefined,
  tmpfs: Place | undefined,
  declared: Declared,
): readonly Mount[] {
  const mounts: Mount[] = [];
  const targets = new Set<string>();
  const add = (place: Place, mount: Mount | undefined) => {
    if (mount === undefined) return;
    if (targets.has(mount.target)) reading.issue(place, 'mounts a second time over the same target');
    targets.add(mount.target);
    mounts.push(mount);
  };
  for (const item of readField(reading, volumes, readList) ?? []) {
    add(
      item,
      item.node.kind === 'map'
        ? readLongMount(reading, item, declared)
        : readShortMount(reading, item, declared),
    );
  }
  for (const text of readField(reading, tmpfs, readTexts) ?? []) {
    const [target = ''] = text.split(':');
    if (tmpfs !== undefined && target === '') reading.issue(tmpfs, 'must name a directory');
    else if (tmpfs !== undefined) add(tmpfs, { type: 'tmpfs', target });
  }
  return mounts;
}

function readShortMount(reading: Reading, place: Place, declared: Declared): Mount | undefined {
  const text = readText(reading, place);
  if (text === undefined) return undefined;
  // The colon of a Windows drive is no separator.
  const parts = text.split(/(?<!^[A-Za-z]|:[A-Za-z]):/);
  const [first = '', second, options = ''] = parts;
  if (parts.length > 3 || parts.some((part) => part === '')) {
    return reading.issue(place, `must have the form source:target[:ro], not ${shown(place)}`);
  }
  if (second === undefined) return { type: 'volume', target: first };
  let readOnly: true | undefined;
  for (const option of options === '' ? [] : options.split(',')) {
    if (option === 'ro') readOnly = true;
    else if (option !== 'rw') {
      reading.warn(
        place,
        'not-supported',
        'only the options ro and rw of a mount are supported; others are ignored',
      );
    }
  }
  const isPath = /^[.~]/.test(first) || isAbsolutePath(first);
  const source = isPath
    ? bindSource(reading, place, first, declared)
    : volumeSource(reading, place, first, declared);
  if (source === undefined) return undefined;
  return compact({
    type: isPath ? ('bind' as const) : ('volume' as const),
    source,
    target: second,
    readOnly,
  });
}

function bindSource(reading: Reading, place: Place, path: string, { access }: Declared): string | undefined {
  if (/^~(?:[\\/]|$)/.test(path)) {
    const home = Object.hasOwn(reading.variables, 'HOME') ? reading.variables['HOME'] : undefined;
    return home === undefined
      ? reading.issue(place, 'begins with ~, but HOME is not set')
      : `${home}${path.slice(1)}`;
  }
  return resolvePath(path, access.baseDir);
}

function volumeSource(
  reading: Reading,
  place: Place,
  key: string,
  { volumes }: Declared,
): string | undefined {
  const volume = volumes.get(key);
  if (volume !== undefined) return volume.name;
  const nearest = didYouMean(key, volumes.keys());
  return reading.issue(place, `${shown(place)} names a volume that is not declared under volumes${nearest}`);
}

const readMountType: Read<Mount['type']> = (reading, place) => {
  const text = readText(reading, place);
  if (text === 'npipe' || text === 'cluster' || text === 'image') {
    return reading.issue(place, `${text} mounts are not supported: use bind, volume or tmpfs`);
  }
  return readOneOf(['bind', 'volume', 'tmpfs'])(reading, place);
};

function readLongMount(reading: Reading, place: Place, declared: Declared): Mount | undefined {
  const fields = readFields(reading, place, {
    read: ['type', 'source', 'target', 'read_only'],
    notSupported: { bind: '', volume: '', tmpfs: '', consistency: '', cluster: '', image: '' },
  });
  if (fields === undefined) return undefined;
  if (fields.type === undefined) return reading.issue(place, 'must have a type: bind, volume or tmpfs');
  if (fields.target === undefined) return reading.issue(place, 'must have a target');
  const type = readMountType(reading, fields.type);
  const target = readWord(reading, fields.target);
  const written = readField(reading, fields.source, readWord);
  const readOnly = readField(reading, fields.read_only, readBoolean);
  if (type === undefined || target === undefined) return undefined;
  if (type === 'bind' && fields.source === undefined)
    return reading.issue(place, 'a bind must have a source');
  if (type === 'tmpfs' && fields.source !== undefined)
    return reading.issue(fields.source, 'a tmpfs has no source');
  if (fields.source === undefined) return compact({ type, target, readOnly });
  if (written === undefined) return undefined;
  const find = type === 'bind' ? bindSource : volumeSource;
  const source = find(reading, fields.source, written, declared);
  return source === undefined ? undefined : compact({ type, source, target, readOnly });
}
