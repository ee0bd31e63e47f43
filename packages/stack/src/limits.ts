/**
 * The limits of a stack file. They are far above what people write, and keep a hostile file (a bomb of aliases, a
 * tower of brackets, a hundred thousand port ranges) from taking the process down.
 */

/** Longest text of a stack file, in UTF-16 units. */
export const STACK_TEXT_MAX = 524_288;
/** Deepest nesting of maps and lists. */
export const DEPTH_MAX = 64;
/** Values read from one file, aliases counted each time that they are used. */
export const READS_MAX = 500_000;
/** Deepest nesting of `${A:-${B:-…}}`. */
export const INTERPOLATION_DEPTH_MAX = 16;
/** Most published ports of one service. */
export const SERVICE_PORTS_MAX = 4_096;
/** Faults told of one file; the rest would not help. */
export const ISSUES_MAX = 50;
/** Most placement constraints of one service. */
export const CONSTRAINTS_MAX = 256;
/** Largest secret in bytes (exclusive), as core has it, told here before anything is deployed. */
export const SECRET_BYTES_MAX = 512_000;
/** Largest config in bytes (exclusive), as core has it. */
export const CONFIG_BYTES_MAX = 1_024_000;
