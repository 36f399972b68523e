import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'tap'
import { ConfigSchema } from '../../src/config.js'
import { ROOT } from '../helpers/root.js'

/** The longest README.md; anything longer belongs on a page of docs. */
const MAX_README_LINES = 150

const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8')
const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.md'))
  .map(name => join('docs', name))
const pages = ['README.md', 'CONTRIBUTING.md', 'PROTOCOL.md', 'bench/README.md', ...docs]
/**
 * A page without its blocks of code: they show links of other programs, and their comments look like
 * headings.
 */
const prose = (page: string): string => read(page).replace(/^ *```[^]*?^ *```$/gm, '')

/** Returns the anchors of a page's headings, as GitHub makes them. */
const anchorsOf = (page: string): Set<string> =>
  new Set(
    [...prose(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-')
    )
  )

test('every link of a page leads to a file that exists, and to a heading in it', async t => {
  for (const page of pages) {
    for (const [, target] of prose(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue
      const [path, anchor] = target!.split('#') as [string, string?]
      const file = path === '' ? page : normalize(join(dirname(page), path))
      t.ok(existsSync(join(ROOT, file)), `${page}: ${target}`)
      if (anchor !== undefined && file.endsWith('.md')) {
        t.ok(anchorsOf(file).has(anchor), `${page}: ${target}`)
      }
    }
  }
})

test('docs/configuration.md has a row for every setting of the server', async t => {
  const rows = read('docs/configuration.md')
    .split('\n')
    .filter(line => line.startsWith('| `'))
    .map(line => line.split(' | ')[0]!)
  for (const name of Object.keys(ConfigSchema.properties)) {
    t.ok(rows.some(row => row.includes(`\`${name}\``)), name)
  }
})

test('README.md is short and leads to every page of docs that no index leads to', async t => {
  const readme = read('README.md')
  t.ok(readme.split('\n').length - 1 <= MAX_README_LINES)
  const indexed = docs.filter(page => /^docs\/(adr|deployment)\//.test(page) && !page.endsWith('README.md'))
  for (const page of docs) if (!indexed.includes(page)) t.ok(readme.includes(`](${page})`), page)
})
