/** Where Skep answers otherwise than the engine on purpose, and why. */

/** Differences of one kind. */
export interface MeantDifference {
  /** Name of the recording, method and path of the request, and the difference: `name METHOD /path: text`. */
  readonly where: RegExp;
  readonly reason: string;
}

/** All of them. A difference that none of these tells of is a fault. */
export const MEANT_DIFFERENCES: readonly MeantDifference[] = [
  {
    where: /^raw-probes GET \/v1\.50\/info: /,
    reason: 'of this answer only the part about the swarm was recorded',
  },
  {
    where:
      /GET \S+\/info: (CDISpecDirs|CgroupVersion|Containerd|ContainerdCommit|FirewallBackend|InitCommit|KernelMemoryTCP|NFd|NGoroutines|RuncCommit|Runtimes|RegistryConfig\.IndexConfigs\.docker\.io) is missing$/,
    reason: 'there is no containerd, runc, registry or firewall below a node that runs processes',
  },
  {
    where: /GET \S+\/version: Components\[\]\.Details\.(BuildTime|GitCommit|GoVersion|NodeVersion) is /,
    reason: 'Skep is no Go program: it tells the version of Node.js instead of that of Go and its build',
  },
  {
    where: /GET \S+\/distribution\/\S+: status 501 /,
    reason: 'no registry is asked without an engine: any refusal is a mere warning to clients',
  },
  {
    where: /GET \/v1\.10\/info: content type application\/json instead of text\/plain$/,
    reason: 'every refusal is JSON',
  },
  {
    where: /CAConfig\.ForceRotate is missing$/,
    reason:
      'how often the root was rotated by hand is not counted in the spec: each rotation is an event of its own',
  },
  {
    where: /GET \S+\/networks(\/\S+|\?\S+)?: (\[\]\.)?(Containers|Peers|Labels) /,
    reason:
      'a network of the swarm is told alike by all nodes: without what only one of them holds, and with {} for none',
  },
  {
    where: /GET \S+\/networks: \[\]\.Options\.com\.docker\.network\.(bridge|driver\.mtu)/,
    reason: 'there are no bridges of an engine below a node that runs processes',
  },
  {
    where: /^raw-probes POST \S+\/services\/create: status 500 \(network bridge not found\)/,
    reason: 'there are no bridges of an engine below a node that runs processes',
  },
  {
    where:
      /(\[\]\.)?(Spec|PreviousSpec)\.(EndpointSpec|(TaskTemplate\.)?(ContainerSpec\.DNSConfig|ContainerSpec\.Privileges|Placement|Resources|Resources\.Limits|Resources\.Reservations)) is (added|missing)$/,
    reason:
      'a spec is kept by its meaning: parts that say nothing are told in one way, however they were sent',
  },
  {
    where: /(TaskTemplate|\[\]\.Spec)\.RestartPolicy\.Delay is added$|UpdateConfig\.Monitor is added$/,
    reason: 'a policy that is told is told whole, with the defaults of what was left out',
  },
  {
    where: /Mounts\[\]\.VolumeOptions is missing$/,
    reason: 'options of volumes have no effect where tasks are processes: they come back as warnings',
  },
  {
    where: /POST \S+\/services\/\S+\/update\S+: Warnings is array instead of null$/,
    reason: 'a limit that no driver of the cluster can keep is told as a warning',
  },
  {
    where:
      /^4[789]\w*-(stack|inspect)-\S+ GET \S+: (\[\]\.)?PreviousSpec is missing$|^51-\S+ GET \S+: PreviousSpec is missing$/,
    reason: 'an update that changes nothing is none: there is nothing to roll back to',
  },
  {
    where:
      /NetworksAttachments( is missing|\[\]\.Network\.Spec\.Ingress is missing)$|Endpoint\.VirtualIPs is missing$/,
    reason:
      'published ports are passed on at every node without a network named ingress, so no address is taken in one',
  },
  {
    where: /^raw-probes POST \S+\/networks\/create: status 201 \(\) instead of 409$/,
    reason: 'there is no network named ingress until somebody makes one',
  },
  {
    where: /^raw-probes POST \S+\/swarm\/init: status 400 \(advertise must be host:port/,
    reason: 'an address that nobody can reach is refused',
  },
  {
    where: /^raw-probes POST \S+\/swarm\/init: status 200 \(\) instead of 503$/,
    reason: 'it was in no swarm yet, since the request before was refused',
  },
  {
    where: /^56-node-ls-down GET \S+\/nodes: \[\]\.Spec\.Labels\.rack is missing$/,
    reason: 'a node that leaves in order is gone, and does not stay in the list as down',
  },
  {
    where:
      /GET \S+\/(tasks|services|nodes)\S*: (\[\]\.)?(NodeID|JobIteration|Status\.(ContainerStatus|Err)|UpdateStatus|UpdateStatus\.CompletedAt|ManagerStatus|Endpoint\.Spec\.Mode) is (added|missing)$/,
    reason:
      'the cluster was at another moment when it was asked: a start, an update or a promotion was further or less far',
  },
  {
    where: /^(3[67]\w*|51)-\S+ GET \S+\/tasks\S*: (\[\]\.)?(Spec|NetworksAttachments)\S* is (added|missing)$/,
    reason: 'other tasks of the past are kept, which were made from other versions of the spec',
  },
];

/** The one that tells of a difference; undefined if it is a fault. */
export function meantDifference(found: {
  readonly name: string;
  readonly request: string;
  readonly text: string;
}): MeantDifference | undefined {
  const line = `${found.name} ${found.request}: ${found.text}`;
  return MEANT_DIFFERENCES.find(({ where }) => where.test(line));
}
