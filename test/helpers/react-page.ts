import { build } from 'esbuild'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { ROOT } from './root.js'

const SHARED = { bundle: true, jsx: 'automatic', write: false, logLevel: 'silent', define: { 'process.env.NODE_ENV': '"development"' } } as const

/** Bundles test/browser/react/page.jsx, as `hooks`. */
export async function bundleForPage (): Promise<string> {
  const entry = join(ROOT, 'test/browser/react/page.jsx')
  const { outputFiles } = await build({ ...SHARED, entryPoints: [entry], format: 'iife', globalName: 'hooks', platform: 'browser' })
  return outputFiles[0]!.text
}

/** Bundles a file of test/browser/react for Node. */
export async function bundleForNode (file: string): Promise<string> {
  const { outputFiles } = await build({
    ...SHARED,
    stdin: { contents: `export * from './${file}'; export { TickwireProvider } from '@tickwire/client/react'; export { TickwireClient } from '@tickwire/client'; export { renderToString } from 'react-dom/server'; export { createElement } from 'react'`, resolveDir: join(ROOT, 'test/browser/react') },
    format: 'cjs',
    platform: 'node'
  })
  return outputFiles[0]!.text
}

/**
 * Opens a page of a server that holds nothing but a script, and what a server rendered. It comes from the
 * server itself: Chromium does not let a page that a test made up connect to this machine.
 */
export async function openHooksPage (
  browser: Browser, origin: string, script: string, body = ''
): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(`${origin}/healthz`)
  await page.evaluate(`document.body.innerHTML = ${JSON.stringify(body)}`)
  await page.addScriptTag({ content: script })
  return page
}

type Shown = ReadonlyArray<readonly [name: string, properties?: object]>

/** Calls a function of test/browser/react/page.jsx in the page. */
export async function inPage<Result> (page: Page, name: string, ...given: unknown[]): Promise<Result> {
  return await page.evaluate(`hooks.${name}(${given.map(one => JSON.stringify(one)).join(', ')})`) as Result
}

export async function show (
  page: Page, shown: Shown, options: { root?: string, isStrict?: boolean } = {}
): Promise<void> {
  await inPage(page, 'show', shown.map(([name, properties = {}]) => [name, properties]), options)
}

/** Waits until an element shows a text. */
export async function shows (page: Page, id: string, text: string): Promise<void> {
  const test = `document.getElementById(${JSON.stringify(id)})?.textContent === ${JSON.stringify(text)}`
  try {
    await page.waitForFunction(test, undefined, { timeout: 30_000 })
  } catch {
    const found = await page.evaluate(`document.getElementById(${JSON.stringify(id)})?.textContent`)
    throw new Error(`#${id} shows ${String(found)}, not ${text}`)
  }
}
