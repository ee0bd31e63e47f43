/** What endpoints work with. */

import type { Clock, Logger, Random } from '@skep/core';
import type { Membership } from '../membership/membership.ts';

/** The node behind the API, and what the host gives. */
export interface ApiContext {
  readonly membership: Membership;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}
