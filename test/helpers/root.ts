import { fileURLToPath } from 'node:url'

/** The project's folder. Tests run compiled, from dist/test; what is not compiled (programs in JavaScript, documents) is found from here. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
