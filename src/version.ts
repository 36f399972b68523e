import { createRequire } from 'node:module'

/** The version of this package. */
const require = createRequire(import.meta.url)
export const { version } = require('@tickwire/server/package.json') as { version: string }
