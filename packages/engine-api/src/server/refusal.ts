/** What a request is refused with: a status code and the engine's `{"message": …}`. */

/** The codes of gRPC that the engine's cluster layer answers with, and the HTTP status that each becomes. */
const GRPC_STATUS = {
  InvalidArgument: 400,
  FailedPrecondition: 400,
  OutOfRange: 400,
  NotFound: 404,
  AlreadyExists: 409,
  PermissionDenied: 403,
  Unimplemented: 501,
  Unavailable: 503,
  Unknown: 500,
} as const;

/** A code of gRPC. */
export type GrpcCode = keyof typeof GRPC_STATUS;

/** A request that is refused, for the reason told. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A refusal in the words of the engine's cluster layer, which clients look for. */
export function clusterRefusal(code: GrpcCode, description: string): Refusal {
  return new Refusal(GRPC_STATUS[code], `rpc error: code = ${code} desc = ${description}`);
}
