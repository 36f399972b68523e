import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { test } from 'tap'
import { ROOT } from '../helpers/root.js'

/** The modules that a client needs at run time; `types` has no code. */
const SUBPATHS = ['cursor', 'rule', 'errors', 'decimal', 'topic', 'types']

/** A client ships all of them to every browser, so they must be small. */
const MAX_GZIPPED_BYTES = 4096

/** Bundles modules for a browser. @returns the bytes, and the files that they came from */
async function bundle (source: string): Promise<{ bytes: Uint8Array, files: string[] }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: ROOT },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    metafile: true,
    logLevel: 'silent'
  })
  return { bytes: outputFiles[0]!.contents, files: Object.keys(metafile.inputs) }
}

const fromTypeBox = (files: readonly string[]): string[] => files.filter(file => file.includes('typebox'))

test('bundles the subpaths for a client without TypeBox, below 4 KiB gzipped', async t => {
  const { bytes, files } = await bundle(
    SUBPATHS.map(name => `export * from '@tickwire/protocol/${name}'`).join('\n')
  )
  t.same(fromTypeBox(files), [])
  const gzipped = gzipSync(bytes, { level: 9 }).length
  t.comment(`${bytes.length} bytes, gzipped ${gzipped}`)
  t.ok(gzipped < MAX_GZIPPED_BYTES, `${gzipped} bytes`)
})

test('bundles what signs orders without TypeBox, below 2 KiB gzipped', async t => {
  const { bytes, files } = await bundle("export * from '@tickwire/protocol/signing'")
  t.same(fromTypeBox(files), [])
  const gzipped = gzipSync(bytes, { level: 9 }).length
  t.comment(`${bytes.length} bytes, gzipped ${gzipped}`)
  t.ok(gzipped < 2048, `${gzipped} bytes`)
})

test('gives a client that takes the rule from the whole package no schema', async t => {
  const rule = await bundle("export { ClientRule } from '@tickwire/protocol'")
  const alone = await bundle("export { ClientRule } from '@tickwire/protocol/rule'")
  t.equal(rule.bytes.length, alone.bytes.length)
})

test('brings the check of a format along with a schema that names it', async t => {
  const { files } = await bundle("export { trades } from '@tickwire/protocol'")
  t.ok(files.some(file => file.endsWith('/formats.js')))
  t.not(fromTypeBox(files).length, 0)
})
