/** Name of the directory, among those of the nodes, that holds the program which they run. */
export const PROGRAM_DIR = 'program';
