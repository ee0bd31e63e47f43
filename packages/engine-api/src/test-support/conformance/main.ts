/** `npm run conformance`: replays the recordings, and prints the report. */

import { faultsOf, report } from './report.ts';
import { runConformance } from './run.ts';

const replayed = await runConformance();
process.stdout.write(report(replayed));
process.exit(faultsOf(replayed).length === 0 ? 0 : 1);
