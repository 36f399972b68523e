import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

const ARGUMENTS = [
  '--headless=new', '--remote-debugging-pipe', '--no-sandbox', '--disable-gpu', '--disable-quic',
  '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  // The page that the driver makes up comes from nowhere, and servers under test are on this machine.
  '--disable-features=LocalNetworkAccessChecks'
]
const CLOSE_MS = 5000
const LOCAL_PAGE = '/tickwire-driver'

type Fields = Record<string, unknown>
interface Answer {
  readonly id?: number
  readonly method?: string
  readonly params?: Fields
  readonly result?: Fields
  readonly error?: { readonly message: string }
}

/**
 * A Chromium with one page, spoken to over a pipe (Chrome DevTools Protocol). It is in the process group of
 * the driver, so that it sleeps with it; and it ends with the pipe, so that it never outlives the driver.
 */
export class Chromium {
  /** What the page says with `say(text)`, and the errors that nobody catches there. */
  onText: (text: string) => void = () => {}
  onError: (text: string) => void = () => {}
  private readonly folder = mkdtempSync(join(tmpdir(), 'tickwire-chromium-'))
  private readonly child: ChildProcess
  private readonly output: Writable
  private readonly asked = new Map<number, (answer: Answer) => void>()
  private session: unknown
  private rest = ''
  private id = 0
  private html = ''
  private loaded = (): void => {}

  private constructor (program: string) {
    const given = [...ARGUMENTS, `--user-data-dir=${this.folder}`, 'about:blank']
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] as const
    const child = this.child = spawn(program, given, { stdio: [...stdio] })
    this.output = child.stdio[3] as Writable
    this.output.on('error', () => {})
    const input = child.stdio[4] as Readable
    input.setEncoding('utf8').on('data', (chunk: string) => { this.read(chunk) })
    child.on('exit', code => { this.onError(`Chromium ended with ${code}`) })
  }

  static async start (program: string): Promise<Chromium> {
    const chromium = new Chromium(program)
    const { targetId } = await chromium.ask('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await chromium.ask('Target.attachToTarget', { targetId, flatten: true })
    chromium.session = sessionId
    await chromium.ask('Page.enable')
    await chromium.ask('Runtime.enable')
    await chromium.ask('Runtime.addBinding', { name: 'say' })
    return chromium
  }

  /** Opens a page of an origin with a script, without asking the server of that origin. */
  async open (origin: string, script: string): Promise<void> {
    const url = new URL(LOCAL_PAGE, origin).href
    const inline = script.replaceAll('</script', '<\\/script')
    this.html = `<!doctype html><title>driver</title><script>${inline}</script>`
    const loaded = new Promise<void>(resolve => { this.loaded = resolve })
    await this.ask('Fetch.enable', { patterns: [{ urlPattern: url }] })
    await this.ask('Page.navigate', { url })
    await loaded
    await this.ask('Fetch.disable')
  }

  async evaluate (expression: string): Promise<void> {
    const { exceptionDetails } = await this.ask('Runtime.evaluate', { expression })
    if (exceptionDetails !== undefined) this.onError(JSON.stringify(exceptionDetails))
  }

  async close (): Promise<void> {
    const ended = once(this.child, 'exit')
    this.onError = () => {}
    this.output.end()
    await Promise.race([ended, delay(CLOSE_MS)])
    this.child.kill('SIGKILL')
    // A process of Chromium's that ends last may still write there.
    await rm(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }).catch(() => {})
  }

  private async ask (method: string, params: Fields = {}): Promise<Fields> {
    const id = ++this.id
    const sessionId = this.session === undefined ? {} : { sessionId: this.session }
    const answer = new Promise<Answer>(resolve => { this.asked.set(id, resolve) })
    this.output.write(`${JSON.stringify({ id, method, params, ...sessionId })}\0`)
    const { result, error } = await answer
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result ?? {}
  }

  private read (chunk: string): void {
    const texts = (this.rest + chunk).split('\0')
    this.rest = texts.pop()!
    for (const text of texts) this.take(JSON.parse(text) as Answer)
  }

  private take (answer: Answer): void {
    const { id, method, params = {} } = answer
    if (id !== undefined) {
      this.asked.get(id)?.(answer)
      this.asked.delete(id)
      return
    }
    switch (method) {
      case 'Runtime.bindingCalled':
        return this.onText(String(params['payload']))
      case 'Runtime.exceptionThrown':
        return this.onError(JSON.stringify(params['exceptionDetails']))
      case 'Page.loadEventFired':
        return this.loaded()
      case 'Fetch.requestPaused': {
        const body = Buffer.from(this.html).toString('base64')
        const responseHeaders = [{ name: 'Content-Type', value: 'text/html; charset=utf-8' }]
        void this.ask('Fetch.fulfillRequest', {
          requestId: params['requestId'], responseCode: 200, responseHeaders, body
        })
        break
      }
      default:
    }
  }
}
