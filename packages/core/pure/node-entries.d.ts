/**
 * What tsconfig.pure.json knows of core's entries for Node: that they exist. Their own types need Node's, which that
 * program is without; the whole-workspace check sees the real ones behind every `import()` of them.
 */

declare module '@skep/core/file';
declare module '@skep/core/node';
