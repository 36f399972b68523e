import { fileURLToPath } from 'node:url'

/**
 * The project's folder. Tests run compiled, from dist/test, and use it to find what tsc does not compile:
 * documents and programs in JavaScript.
 */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
