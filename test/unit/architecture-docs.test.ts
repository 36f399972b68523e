import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { ROOT } from '../helpers/root.js'

/** docs/architecture.md and docs/adr/README.md name only what exists, and everything of its kind. */
const page = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8')
const PATH = /`((?:src|plugins|routes|packages|examples|deploy|test|bench|docs|scripts)\/[^`\s]*|\.[\w.-]+)`/g
const pathsIn = (text: string): string[] => [...text.matchAll(PATH)].map(([, path]) => path!)
const section = (heading: string): string => page.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!

test('docs/architecture.md names only paths that exist', t => {
  const paths = new Set(pathsIn(page))
  t.ok(paths.size > 90, `${paths.size} are named`)
  for (const path of paths) t.ok(existsSync(join(ROOT, path)), path)
  t.end()
})

test('docs/architecture.md names each file of its three ways once', t => {
  const paths = ['From POST /v1/publish to a WebSocket', 'Catch-up', 'A new epoch'].flatMap(way =>
    pathsIn(section(way))
  )
  t.ok(paths.length > 60, `${paths.length} are named`)
  t.same(paths.filter((path, index) => paths.indexOf(path) !== index), [])
  t.end()
})

test('docs/architecture.md has a row for every folder of src, and for the rooms of hub and log', t => {
  const rows = pathsIn(
    section('Folders')
      .split('\n')
      .filter(line => line.startsWith('| `'))
      .map(line => line.split(' | ')[0]!)
      .join('\n')
  )
  for (const parent of ['src/', 'src/hub/', 'src/log/', 'src/log/redis/']) {
    for (const entry of readdirSync(join(ROOT, parent), { withFileTypes: true })) {
      if (entry.isDirectory()) t.ok(rows.includes(`${parent}${entry.name}/`), `${parent}${entry.name}/`)
    }
  }
  t.end()
})

test('docs/adr/README.md lists every decision once, by its number', t => {
  const index = readFileSync(join(ROOT, 'docs/adr/README.md'), 'utf8')
  const lines = [...index.matchAll(/^\| (\d+) \| \[[^\]]+\]\(([^)]+)\) \| [^|]+ \|$/gm)].map(
    ([, number, file]) => ({ number: Number(number), file: file! })
  )
  const files = readdirSync(join(ROOT, 'docs/adr')).filter(name => /^\d{4}-.*\.md$/.test(name))
  t.same(lines.map(({ file }) => file).sort(), files.sort())
  for (const { number, file } of lines) t.equal(number, Number(file.slice(0, 4)), file)
  t.end()
})
