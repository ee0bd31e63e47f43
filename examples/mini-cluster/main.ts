/** `npm start`: the program of the nodes is put together in a process of its own while the launcher itself loads. */

import { bundleMember } from './member-program.ts';

bundleMember();
await import('./launch.ts');
