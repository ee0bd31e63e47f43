/** The `ports` of a service, short (`8080:80/tcp`, ranges too) and long, as the ports of a spec. */

import type { ServiceSpecInput } from '@skep/core';
import { SERVICE_PORTS_MAX } from './limits.ts';
import { readList } from './read-collections.ts';
import { compact, readField, readFields } from './read-fields.ts';
import { readCount, readOneOf, readText } from './read-values.ts';
import { type Place, type Read, type Reading, shown } from './reading.ts';

type Port = NonNullable<ServiceSpecInput['ports']>[number];

const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;
const FORMS = '80, 8080:80, 8000-8002:80-82 or any of these with /udp';
/** Addresses that mean every interface, which is what a published port listens on. */
const ANY_ADDRESS = new Set(['', '0.0.0.0', '[::]', '::']);

/** Every port of a service; no two of them publish the same number. */
export const readPorts: Read<readonly Port[]> = (reading, place) => {
  const ports: Port[] = [];
  const published = new Set<string>();
  for (const item of readList(reading, place) ?? []) {
    const read = item.node.kind === 'map' ? readLongPort(reading, item) : readShortPort(reading, item);
    if (ports.length + read.length > SERVICE_PORTS_MAX) {
      return reading.issue(item, `makes more than ${SERVICE_PORTS_MAX} ports of one service`);
    }
    for (const port of read) {
      const key = `${port.published}/${port.protocol ?? 'tcp'}`;
      if (port.published !== undefined && published.has(key)) {
        reading.issue(item, `publishes port ${key} a second time`);
      }
      published.add(key);
      ports.push(port);
    }
  }
  return ports;
};

interface Range {
  readonly first: number;
  readonly last: number;
}

function readShortPort(reading: Reading, place: Place): readonly Port[] {
  const text = readText(reading, place);
  if (text === undefined) return [];
  const form = () => {
    reading.issue(place, `must have the form ${FORMS}, not ${shown(place)}`);
    return [];
  };
  const match =
    /^(?:(?<host>\[[^\]]*\]|[^:]*):(?=[^:]*:))?(?:(?<published>[\d-]*):)?(?<target>[\d-]+)(?:\/(?<protocol>[A-Za-z]+))?$/.exec(
      text.trim(),
    );
  if (!match) return form();
  const {
    host = '',
    published: publishedText = '',
    target: targetText = '',
    protocol: written = 'tcp',
  } = match.groups ?? {};
  if (!ANY_ADDRESS.has(host)) {
    reading.issue(
      place,
      'names a host address, but a published port listens on every node and every address of it: leave the address out, and keep others away with a firewall',
    );
    return [];
  }
  const protocol = PROTOCOLS.find((known) => known === written.toLowerCase());
  const target = parseRange(targetText);
  const published = publishedText === '' ? undefined : parseRange(publishedText);
  if (protocol === undefined || target === undefined || (publishedText !== '' && published === undefined))
    return form();
  return expand(reading, place, target, published, protocol);
}

function parseRange(text: string): Range | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first >= 1 && last >= first && last <= 65_535 ? { first, last } : undefined;
}

function expand(
  reading: Reading,
  place: Place,
  target: Range,
  published: Range | undefined,
  protocol: (typeof PROTOCOLS)[number],
): readonly Port[] {
  const targets = target.last - target.first + 1;
  const numbers = published === undefined ? targets : published.last - published.first + 1;
  if (numbers > SERVICE_PORTS_MAX || targets > SERVICE_PORTS_MAX) {
    reading.issue(place, `makes more than ${SERVICE_PORTS_MAX} ports of one service`);
    return [];
  }
  // A range published for one target opens each of its numbers for that target, as the docker CLI does.
  if (targets !== 1 && targets !== numbers) {
    reading.issue(
      place,
      `publishes ${numbers} ports for ${targets} targets: the ranges must be of the same length`,
    );
    return [];
  }
  return Array.from({ length: numbers }, (_, index) =>
    compact({
      target: targets === 1 ? target.first : target.first + index,
      published: published === undefined ? undefined : published.first + index,
      protocol,
      mode: 'ingress' as const,
    }),
  );
}

const readPortNumber: Read<number> = (reading, place) => {
  const value = readCount(reading, place);
  if (value === undefined) return undefined;
  return value >= 1 && value <= 65_535 ? value : reading.issue(place, 'must be from 1 to 65535');
};

function readLongPort(reading: Reading, place: Place): readonly Port[] {
  const fields = readFields(reading, place, {
    read: [
      ...(['target', 'published', 'protocol', 'mode', 'name', 'app_protocol', 'host_ip'] as const),
      'x-skep-proxy-protocol',
    ],
  });
  if (fields === undefined) return [];
  const protocol = readField(reading, fields.protocol, readOneOf(PROTOCOLS)) ?? 'tcp';
  const mode = readField(reading, fields.mode, readOneOf(['ingress', 'host'])) ?? 'ingress';
  const proxyProtocol = readField(reading, fields['x-skep-proxy-protocol'], readOneOf(['v1', 'v2']));
  const extra = proxyProtocol === undefined ? {} : { proxyProtocol };
  if (fields.host_ip !== undefined && !ANY_ADDRESS.has(readText(reading, fields.host_ip) ?? '')) {
    reading.issue(fields.host_ip, 'is refused: a published port listens on every address of a node');
  }
  if (fields.target === undefined) {
    reading.issue(place, 'must have a target');
    return [];
  }
  const target = readPortNumber(reading, fields.target);
  if (target === undefined) return [];
  if (fields.published === undefined) return [{ target, protocol, mode, ...extra }];
  const text = readText(reading, fields.published) ?? '';
  // 0 and nothing mean: any free port.
  if (text === '' || text === '0') return [{ target, protocol, mode, ...extra }];
  const range = parseRange(text);
  if (range === undefined) {
    reading.issue(fields.published, `must be from 1 to 65535, not ${shown(fields.published)}`);
    return [];
  }
  return expand(reading, place, { first: target, last: target }, range, protocol).map((port) => ({
    ...port,
    ...extra,
    mode,
  }));
}
