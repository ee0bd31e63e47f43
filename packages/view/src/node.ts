/**
 * The view over HTTP, for Node.
 *
 * @packageDocumentation
 */

export { type ViewHandler, type ViewHandlerOptions, viewHandler } from './http/view-handler.ts';
