import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './root.js'

/** The blocks of code of one language below a heading of a page, as they stand there. */
export function blocksOf (page: string, heading: string, language: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const at = new RegExp(`^(#+) ${heading}$`, 'm').exec(text)
  if (at === null) throw new Error(`${page} has no heading '${heading}'`)
  const rest = text.slice(at.index + at[0].length)
  // A comment in a shell block looks like a heading of the first level, but no requested section has that
  // level.
  const end = new RegExp(`^#{${at[1]!.length === 1 ? '1' : `2,${at[1]!.length}`}} `, 'm').exec(rest)?.index ?? rest.length
  return [...rest.slice(0, end).matchAll(new RegExp('^```' + language + '\\n([^]*?)^```$', 'gm'))].map(([, code]) => code!)
}
