/** The version of this package, which nodes tell of their engine. */

/** As in package.json; a test compares the two. */
export const VERSION = '0.1.0';
