/**
 * Every key that the Compose specification gives a service, by what becomes of it here. The lists of what swarm
 * mode leaves out follow what `docker stack deploy` itself says of them.
 */

import { CONTAINER_KEYS } from './service-container.ts';

/** Keys that make a spec. */
export const SERVICE_KEYS = [
  'image',
  'command',
  'entrypoint',
  'environment',
  'env_file',
  'ports',
  'depends_on',
  'deploy',
  'healthcheck',
  'networks',
  'volumes',
  'tmpfs',
  'secrets',
  'configs',
  'labels',
  'user',
  'working_dir',
  'hostname',
  'stop_signal',
  'stop_grace_period',
  'tty',
  'read_only',
  ...CONTAINER_KEYS,
  'x-skep-balancing',
  'x-skep-drain-delay',
  'x-skep-health',
] as const;

/** Keys that have no effect in swarm mode, with what to do instead. */
export const IGNORED_BY_SWARM: Readonly<Record<string, string>> = {
  annotations: '',
  attach: '',
  blkio_config: '',
  build: 'build the image before, and name it under image',
  cgroup: '',
  cgroup_parent: '',
  cgroupns_mode: '',
  container_name: 'tasks are named after their service',
  develop: '',
  device_cgroup_rules: '',
  domainname: '',
  expose: 'services on the same network reach every port of each other',
  external_links: '',
  gpus: 'ask for them as generic_resources under deploy.resources.reservations',
  ipc: '',
  label_file: '',
  links: 'services on the same network reach each other by name',
  mac_address: '',
  models: '',
  network_mode: '',
  oom_kill_disable: '',
  pid: '',
  platform: 'constrain node.platform.os and node.platform.arch under deploy.placement',
  post_start: '',
  pre_stop: '',
  profiles: '',
  provider: '',
  pull_policy: '',
  restart: 'use deploy.restart_policy',
  runtime: '',
  scale: 'use deploy.replicas',
  security_opt: '',
  shm_size: '',
  storage_opt: '',
  use_api_socket: '',
  userns_mode: '',
  uts: '',
};

/** Keys that swarm mode knows and Skep does not yet. */
export const NOT_SUPPORTED: Readonly<Record<string, string>> = {
  credential_spec: '',
  dns: '',
  dns_opt: '',
  dns_search: '',
  extra_hosts: '',
  group_add: '',
  isolation: '',
  oom_score_adj: '',
  stdin_open: '',
};

const LIMITS = 'set limits and reservations under deploy.resources';

/** Keys that `docker stack deploy` refuses, since ignoring them would change what the file means. */
export const REFUSED: Readonly<Record<string, string>> = {
  extends: 'write the service out, or share keys with YAML anchors',
  volume_driver: 'declare the volume under the top-level volumes',
  volumes_from: 'declare the volume under the top-level volumes, and mount it in both services',
  cpu_count: LIMITS,
  cpu_percent: LIMITS,
  cpu_period: LIMITS,
  cpu_quota: LIMITS,
  cpu_rt_period: LIMITS,
  cpu_rt_runtime: LIMITS,
  cpu_shares: LIMITS,
  cpus: LIMITS,
  cpuset: LIMITS,
  mem_limit: LIMITS,
  mem_reservation: LIMITS,
  mem_swappiness: LIMITS,
  memswap_limit: LIMITS,
  pids_limit: LIMITS,
};
