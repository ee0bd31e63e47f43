/** The version of this package, which it tells clients. */

/** As in package.json; a test compares the two. */
export const VERSION = '0.1.0';
