/** All types of the protocol and nothing at run time, for code that reads messages and validates none. */
export type * from './index.js'
