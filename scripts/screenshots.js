// `npm run screenshots`: takes the pictures of the README and of docs/ from the running program: it starts a
// server with the simulated market, opens its pages in Chromium, and writes docs/images. It takes about two
// minutes, because a chart needs some bars.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { chromium } from 'playwright-core'
import { main, prepare, PrepareError, root, say } from './prepare.js'
import { provideServices } from './services.js'

const OUTPUT = join(root, 'docs', 'images')
const MARKET_MS = 75_000
const START_MS = 30_000
const SIZE = { width: 1440, height: 860 }

/**
 * What is pictured: a page, how it is set, and until when to wait.
 * @type {{ name: string, path: string, scheme: 'light' | 'dark', locale?: string, before?: string[] }[]}
 */
const PICTURES = [
  { name: 'desk', path: '/?symbol=BTC-USD', scheme: 'light', before: ['button:text-is("1s")'] },
  { name: 'desk-korean', path: '/?symbol=005930', scheme: 'dark', locale: 'ko-KR' },
  { name: 'monitor', path: '/monitor', scheme: 'light', before: ['[data-connection] button'] },
  { name: 'console', path: '/console', scheme: 'light' },
]

/** Starts a server at a port of its own. */
async function startServer (/** @type {string} */ folder) {
  const env = { ...process.env, JWT_SECRET: 'a secret of the pictures alone, 32 bytes', DATA_DIR: folder }
  const command = [join(root, 'dist/src/cli/tickwire.js'), 'start', '--port', '0']
  const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  child.stdout.on('data', chunk => { text += String(chunk) })
  child.stderr.on('data', chunk => { text += String(chunk) })
  const until = Date.now() + START_MS
  for (;;) {
    const link = /http:\/\/\S+#code=\S+/.exec(text)?.[0]
    if (link !== undefined) return { child, link }
    if (Date.now() > until || child.exitCode !== null) {
      throw new PrepareError(`the server did not start:\n${text}`)
    }
    await delay(100)
  }
}

await main(async () => {
  prepare()
  const { TEST_CHROMIUM: executablePath = '' } = { ...process.env, ...provideServices() }
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-pictures-'))
  mkdirSync(OUTPUT, { recursive: true })
  const { child, link } = await startServer(folder)
  try {
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
    const context = await browser.newContext({ viewport: SIZE })
    const first = await context.newPage()
    await first.goto(link)
    await first.locator('.user').waitFor()
    const kept = await first.evaluate('JSON.stringify({ ...sessionStorage })')
    say(`the market runs for ${MARKET_MS / 1000} s, so that there is something to see…`)
    await delay(MARKET_MS)
    for (const { name, path, scheme, locale = 'en-US', before = [] } of PICTURES) {
      const page = await (await browser.newContext({ viewport: SIZE, colorScheme: scheme, locale })).newPage()
      await page.addInitScript(`Object.assign(sessionStorage, ${String(kept)})`)
      await page.goto(new URL(path, link).href)
      for (const selector of before) await page.locator(selector).first().click()
      await delay(4000)
      await page.screenshot({ path: join(OUTPUT, `${name}.png`) })
      say(`docs/images/${name}.png`)
      await page.context().close()
    }
    await browser.close()
  } finally {
    child.kill('SIGTERM')
    rmSync(folder, { recursive: true, force: true })
  }
})
