import { execFile, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { blocksOf } from '../helpers/docs.js'
import { freePort } from '../helpers/free-port.js'
import { packAndInstall, runAtPort } from '../helpers/installed.js'
import { ROOT } from '../helpers/root.js'

/**
 * The command of docs/plugin.md that installs the package, the example behind it, and the short example of
 * README.md.
 */
const [install] = blocksOf('docs/plugin.md', 'In your own application', 'sh') as [string]
const [example] = blocksOf('docs/plugin.md', 'In your own application', 'js') as [string]
const [shortExample] = blocksOf('README.md', 'Use it as a plugin', 'js') as [string]
const run = promisify(execFile)

async function answers (url: string): Promise<void> {
  while (!await fetch(url).then(() => true, () => false)) await delay(50)
}

/** What an application uses, or reads. */
const SHIPPED = /^(package\.json|dist\/dashboard\/(\w+\.html|assets\/[\w.-]+\.(js|css)(\.(br|gz))?)|LICENSE|(README|PROTOCOL|CHANGELOG)\.md|dist\/PROTOCOL\.md|(dist\/(src|plugins|routes)|node_modules\/@tickwire\/(client|protocol)\/dist)\/.*\.(js|d\.ts|lua|html|css|svg)|node_modules\/@tickwire\/(client|protocol)\/(package\.json|README\.md|vectors\/signing\.json)|docs\/.*\.(md|png))$/

test('the package, packed and installed into an empty folder', { ...inBrowser, timeout: 250_000 }, async t => {
  const [, packages = ''] = /^npm install (.*)\/path\/to\/tickwire-server-\d+\.\d+\.\d+\.tgz$/m.exec(install) ?? []
  const { folder, files, warnings } = await packAndInstall(t, packages.trim().split(' '))
  const browser = await launchBrowser(t)

  await t.test('has what an application needs, and nothing else', async t => {
    t.same(files.filter(file => !SHIPPED.test(file)), [])
    t.equal(warnings, '', 'npm has nothing to say about it')
  })

  await t.test('runs the example of docs/plugin.md as it stands, and its page shows what is published', async t => {
    const port = await freePort()
    writeFileSync(join(folder, 'app.mjs'), example)
    runAtPort(t, folder, 'app.mjs', 3000, port)
    const origin = `http://localhost:${port}`
    await answers(origin)
    const page = await browser.newPage()
    await page.goto(origin)
    await page.getByText('"symbol":"gondola"').waitFor()
    const answer = await (await fetch(`${origin}/live/v1/stream?subscribe=lifts:gondola`)).json()
    t.match(answer, { messages: [{ channel: 'lifts', symbol: 'gondola', data: { open: true, waiting_minutes: 5 } }] })
  })

  await t.test('runs the example of README.md as it stands', async t => {
    const port = await freePort()
    writeFileSync(join(folder, 'short.mjs'), shortExample)
    runAtPort(t, folder, 'short.mjs', 3000, port)
    const snapshot = `http://localhost:${port}/live/v1/snapshot?topic=quotes:AAPL`
    await answers(snapshot)
    while (!(await fetch(snapshot)).ok) await delay(50)
    t.match(await (await fetch(snapshot)).json(), { channel: 'quotes', symbol: 'AAPL', data: { bid: '189.10', ask: '189.12' } })
  })

  await t.test('has types with which the example compiles, those of its dependencies checked too', async t => {
    writeFileSync(join(folder, 'app.ts'), example)
    const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false', '--module', 'nodenext', '--target', 'es2023', '--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')]
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
    const errors = await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...options, 'app.ts'], { cwd: folder }).then(() => '', ({ stdout }: { stdout: string }) => stdout)
    t.equal(errors, '')
  })

  await t.test('has the command, whose page shows the market', async t => {
    const child = spawn(join(folder, 'node_modules/.bin/tickwire'), ['start', '--port', '0'], { cwd: folder, env: { PATH: process.env['PATH'] }, stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => { child.kill('SIGKILL') })
    let out = ''
    child.stdout.on('data', chunk => { out += String(chunk) })
    await until('it listens', () => out.includes('listens on'))
    const page = await browser.newPage()
    await page.goto(/http:\/\/\S+/.exec(out)![0])
    await page.locator('[data-panel=watchlist] tr[data-symbol]').first().waitFor()
  })
})
