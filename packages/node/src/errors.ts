/**
 * What can go wrong between the nodes of a cluster, as one class with a stable code. Errors of the orchestrator itself
 * stay what they are (`SkepError`), also when they come from another node.
 */

/** What went wrong, as a stable code. */
export type NodeErrorCode =
  /** The text is no join token: cut short, mistyped, or something else. */
  | 'TOKEN_MALFORMED'
  /** The token is well formed and was never, or is no longer, one of this cluster's. */
  | 'TOKEN_REFUSED'
  /** The roots that the other side shows are not those that the token speaks of: another cluster, or a man in the middle. */
  | 'ROOT_MISMATCH'
  /** The caller showed no certificate, and the method wants one. */
  | 'CERTIFICATE_MISSING'
  /** The certificate was not signed by this cluster's CA. */
  | 'CERTIFICATE_UNTRUSTED'
  | 'CERTIFICATE_EXPIRED'
  /** The certificate begins to be valid later: one of the two clocks is wrong. */
  | 'CERTIFICATE_NOT_YET_VALID'
  /** The certificate is fine, but its node was removed from the cluster. */
  | 'NODE_REMOVED'
  /** The certificate is of another cluster. */
  | 'WRONG_CLUSTER'
  /** The caller's role may not call this. */
  | 'WRONG_ROLE'
  /** The certificate is not that of the node that was wanted. */
  | 'WRONG_NODE'
  /** The certificate request is malformed, or of a kind of key that is not taken. */
  | 'REQUEST_REFUSED'
  /** The root that was given for the CA, or its key, breaks a rule that the message names. */
  | 'CA_REFUSED'
  /** The clocks of the two machines are too far apart for certificates to work. */
  | 'CLOCK_SKEW'
  /** Nobody answers at the address. */
  | 'UNREACHABLE'
  /** The managers can't reach the address that a new manager advertises. */
  | 'ADVERTISED_UNREACHABLE'
  /** The address is the node's own. */
  | 'JOIN_TO_ITSELF'
  /** The state directory holds a node already. */
  | 'ALREADY_A_NODE'
  /** The state directory holds no node. */
  | 'NOT_A_NODE'
  /** The state directory is damaged or of a version that this program does not know. */
  | 'STATE_UNREADABLE'
  /** Another process has the state directory open. */
  | 'STATE_LOCKED'
  /** The private key and the log are sealed under the unlock key. */
  | 'LOCKED'
  /** The text is no unlock key, or not that of this cluster. */
  | 'UNLOCK_KEY_REFUSED'
  /** The last manager can't go. */
  | 'LAST_MANAGER'
  /** Without this manager too few would be left that can be reached. */
  | 'QUORUM_LOSS'
  /** This manager does not lead, and can't say who does. Certainly not carried out. */
  | 'NOT_LEADER'
  /** The call did not end in time. */
  | 'DEADLINE_EXCEEDED'
  /** The caller gave up. */
  | 'CANCELLED'
  /** The connection was lost before the answer came. What was asked may or may not have been done. */
  | 'CONNECTION_LOST'
  /** There is no such method. */
  | 'UNKNOWN_METHOD'
  /** A message breaks the protocol, or its fields the method's rules. */
  | 'MALFORMED'
  /** A message is over the limit. */
  | 'TOO_LARGE'
  /** Too many calls at once. */
  | 'BUSY'
  /** The node is closed. */
  | 'CLOSED'
  /** An option breaks a rule that the message names. */
  | 'INVALID_OPTION'
  /** The other side failed in a way that it does not tell about. */
  | 'INTERNAL';

const RETRYABLE: ReadonlySet<NodeErrorCode> = new Set([
  'UNREACHABLE',
  'NOT_LEADER',
  'DEADLINE_EXCEEDED',
  'CONNECTION_LOST',
  'BUSY',
  'STATE_LOCKED',
]);

const BRAND = Symbol.for('skep.node-error');

/** Thrown by this package. Its code survives the way between nodes; its cause does not. */
export class NodeError extends Error {
  override readonly name = 'NodeError';
  readonly code: NodeErrorCode;

  constructor(code: NodeErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** The same call may succeed when made again later, unchanged. */
  get retryable(): boolean {
    return RETRYABLE.has(this.code);
  }
}

/** Tells an error of this package from any other, also when it comes from another copy of the package. */
export function isNodeError(error: unknown): error is NodeError {
  return typeof error === 'object' && error !== null && BRAND in error;
}
