/**
 * Checks what clients saw for linearizability. For any object with a sequential model; nothing here knows of Raft, or
 * needs Node.
 *
 * @packageDocumentation
 */

export type { AppendLogInput, AppendLogOutput, AppendLogState } from './append-log-model.ts';
export { appendLogModel } from './append-log-model.ts';
export type { CheckOptions, Verdict } from './check.ts';
export { checkLinearizability } from './check.ts';
export { HistoryError } from './errors.ts';
export type { Explanation } from './explanation.ts';
export type { History, Operation, Outcome } from './history.ts';
export type { HistoryReaders } from './history-json.ts';
export { historyFromJson, historyToJson } from './history-json.ts';
export type { Model } from './model.ts';
export type { RegisterInput, RegisterOutput } from './register-model.ts';
export { registerModel } from './register-model.ts';
