import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import Fastify from 'fastify'
import { test } from 'tap'
import { tickwire } from '../../src/index.js'
import { ROOT } from '../helpers/root.js'

/** docs/deployment names only what exists. The examples of sizing are in sizing.test.ts. */
const FOLDER = join(ROOT, 'docs/deployment')
const pages = readdirSync(FOLDER).filter(name => name.endsWith('.md'))
const read = (page: string): string => readFileSync(join(FOLDER, page), 'utf8')

test('names only metrics that a server has', async t => {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(tickwire, { routes: ['metrics'] })
  const served = (await app.inject('/metrics')).body
  const named = new Set(
    [...read('alerts.md').matchAll(/\b(?:tickwire|process|nodejs)_[a-z0-9_]+\b/g)].map(([name]) => name)
  )
  t.ok(named.size >= 15, `${named.size} are named`)
  for (const name of named) t.match(served, new RegExp(`^# TYPE ${name.replace(/_bucket$/, '')} `, 'm'), name)
})

test('leads only to files that exist, and lists every page', async t => {
  for (const page of pages) {
    for (const [, path] of read(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
      t.ok(existsSync(resolve(FOLDER, path!)), `${page}: ${path}`)
    }
    if (page !== 'README.md') t.match(read('README.md'), `[${page}](${page})`, `${page} is in the list`)
  }
  for (const path of ['deploy/nginx.conf', 'docker-compose.yml']) {
    t.ok(existsSync(resolve(FOLDER, '../..', path)))
  }
})

test('shows no line that makes a secret which nobody sees, so that nobody could sign a token with it', async t => {
  const root = resolve(FOLDER, '../..')
  const files = [
    'README.md',
    'docker-compose.yml',
    ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.md'))
      .map(name => join('docs', name))
  ]
  t.ok(files.length > pages.length)
  for (const file of files) {
    t.notMatch(readFileSync(join(root, file), 'utf8'), /^(?!.*\bexport ).*JWT_SECRET=\$\(/m, file)
  }
})
