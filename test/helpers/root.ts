import { fileURLToPath } from 'node:url'

/** The project's folder. Tests run compiled, from dist/test, and find from here what tsc does not compile: documents, programs in JavaScript. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
