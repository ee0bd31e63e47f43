/** Programs that stand in for images where tasks are processes: they print what they were given, and run on. */

import { fileURLToPath } from 'node:url';

const standIn = { command: fileURLToPath(new URL('stand-in.sh', import.meta.url)) };

/** By the names that the walk-throughs use. */
export const STAND_INS = {
  alpine: standIn,
  nginx: standIn,
  'nginx:alpine': standIn,
  'redis:alpine': standIn,
  'postgres:14': standIn,
  postgres: standIn,
  'drupal:9': standIn,
  drupal: standIn,
  'bretfisher/visualizer': standIn,
} as const;
