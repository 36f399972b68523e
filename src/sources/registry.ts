// INTERIM
import type { Source } from './source.js'
export function parseSources (_t: string): Source[] { return [] }
