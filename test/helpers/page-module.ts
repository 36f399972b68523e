import { build } from 'esbuild'
import { join } from 'node:path'
import { ROOT } from './root.js'

/**
 * Loads a module of the pages, which tsc only checks for this project: the bundler compiles it.
 * @param file in packages/dashboard/src
 */
export async function pageModule<Module> (file: string): Promise<Module> {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, 'packages/dashboard/src', file)], bundle: true, format: 'esm', write: false
  })
  const code = Buffer.from(outputFiles[0]!.contents).toString('base64')
  return await import(`data:text/javascript;base64,${code}`) as Module
}
