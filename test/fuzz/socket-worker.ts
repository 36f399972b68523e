import { setTimeout as delay } from 'node:timers/promises'
import { type ErrorCode, errorTable } from '@tickwire/protocol'
import { WebSocket } from 'ws'
import type { Message } from '../helpers/clients.js'
import type { Choices } from '../helpers/random.js'
import { FUZZ_ADDRESS, type Ground } from './ground.js'
import { Messages, type Quality } from './input/messages.js'
import type { Person } from './input/world.js'
import { ANSWERS, judgeMessage, judgeRefusal, type Parsed, parseMessage } from './oracle.js'

const ANSWER_MS = 20_000
const STALL_MS = 150
/** Most messages on one connection. */
const LIFE = 400
const TOO_LONG = 'x'.repeat(70_000)
/** Of a text that is no UTF-8 (PROTOCOL.md, Text and numbers). */
const INVALID_JSON = errorTable.invalid_json.close

/** Actions whose message may say two things that do not go together, though each fits. */
const SAYS_MORE: ReadonlySet<unknown> = new Set(['subscribe', 'ack', 'submit_order', 'cancel_order', 'replace_order'])

/** Qualities of a hundred messages, by how well a connection behaves. */
const TEMPERS: ReadonlyArray<Readonly<Record<Quality, number>>> = [
  { fitting: 100, near: 0, garbled: 0, noise: 0 },
  { fitting: 97, near: 1, garbled: 1, noise: 1 },
  { fitting: 70, near: 15, garbled: 10, noise: 5 }
]

/** One connection of a fuzzed WebSocket, and all that is said on it, judged. */
class FuzzedSocket {
  closed = false
  answered = 0
  lastAnswer: Message | undefined
  /** What has been sent that ends the connection with a close code of `ws` itself. */
  expectedClose: number | undefined
  lastInput = ''
  private readonly socket: WebSocket
  private leaves = false
  private closing: Message | undefined
  private wake: () => void = () => {}
  readonly opened: Promise<boolean>

  constructor (
    private readonly ground: Ground,
    query: string,
    protocol: string | undefined,
    compressed: boolean
  ) {
    const options = { perMessageDeflate: compressed, localAddress: FUZZ_ADDRESS }
    const url = `ws://127.0.0.1:${ground.port}/v1/stream?${query}`
    this.socket = protocol === undefined ? new WebSocket(url, options) : new WebSocket(url, protocol, options)
    const { socket } = this
    this.opened = new Promise(resolve => {
      socket.on('open', () => { resolve(true) })
      socket.on('close', () => { resolve(false) })
    })
    socket.on('unexpected-response', (request, response) => {
      let text = ''
      response.setEncoding('utf8').on('data', chunk => { text += String(chunk) }).on('close', () => {
        this.refused(response.statusCode ?? 0, text, query)
        request.destroy()
        // `ws` itself says nothing more of it.
        socket.emit('close', 0)
      })
    })
    socket.on('error', () => {})
    socket.on('message', (data: Buffer) => { this.heard(data.toString(), protocol === 'tickwire.v1.batch') })
    socket.on('close', (code: number) => { this.ended(code) })
  }

  send (input: string | Buffer, binary = false): void {
    if (typeof input === 'string') this.lastInput = input
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(input, { binary })
  }

  /** Resolves when so many messages have been answered, or the connection is gone. */
  async until (answers: number): Promise<void> {
    const deadline = Date.now() + ANSWER_MS
    while (!this.closed && this.answered < answers) {
      const late = setTimeout(() => { this.wake() }, ANSWER_MS)
      await new Promise<void>(resolve => { this.wake = resolve })
      clearTimeout(late)
      if (Date.now() < deadline) continue
      this.ground.fault(`${answers - this.answered} messages were not answered within ${ANSWER_MS} ms`, this.lastInput)
      this.leave()
    }
  }

  pause (paused: boolean): void {
    if (paused) this.socket.pause()
    else this.socket.resume()
  }

  leave (): void {
    this.leaves = true
    this.socket.terminate()
  }

  private refused (status: number, text: string, query: string): void {
    this.leaves = true
    const wrong = judgeRefusal(status, text)
    if (wrong !== undefined) this.ground.fault(`an upgrade got ${wrong}`, query)
    else this.ground.coverage.code((JSON.parse(text) as { code: string }).code)
  }

  private heard (text: string, batch: boolean): void {
    const value = JSON.parse(text) as Message | Message[]
    if (Array.isArray(value) !== batch) this.ground.fault(`a frame is ${batch ? 'no' : 'an'} array`)
    for (const message of Array.isArray(value) ? value : [value]) this.take(message)
    this.wake()
  }

  private take (message: Message): void {
    const { ground: { world, coverage } } = this
    const { type, code } = message
    const wrong = judgeMessage(message, 'string')
    if (wrong !== undefined) this.ground.fault(`a message ${wrong}`, this.lastInput)
    if (this.closing !== undefined) this.ground.fault(`${type} came after closing`)
    if (typeof code === 'string') coverage.code(code)
    if (type === 'welcome') world.connectionIds.add(String(message['connection_id']))
    if (type === 'cursor' || type === 'heartbeat') world.cursors.add(String(message['cursor']))
    if (type === 'closing') this.closing = message
    if (type === 'subscribed') {
      world.epochs.add(String(message['epoch']))
      const rejected = message['rejected'] as Array<{ code: string }>
      for (const { code: refusal } of rejected) coverage.code(refusal)
      if (rejected.length === 0) coverage.accepted('channel subscribed', message.channel!)
    }
    if (type === 'published') for (const { code: refusal } of message['rejected'] as Array<{ code: string }>) coverage.code(refusal)
    if (!ANSWERS.has(type)) return
    this.answered++
    this.lastAnswer = message
  }

  private ended (code: number): void {
    this.closed = true
    this.wake()
    if (this.leaves) return
    const { closing } = this
    if (closing === undefined) {
      if (code !== this.expectedClose) this.ground.fault(`a connection ended with ${code} and no word`, this.lastInput)
    } else if (errorTable[closing['code'] as ErrorCode].close !== code) this.ground.fault(`a connection ended with ${code} after ${JSON.stringify(closing)}`)
  }
}

/** Opens one connection after another, and says on each what its temper has it say. */
export class SocketWorker {
  private said = 0

  constructor (
    private readonly random: Choices,
    private readonly ground: Ground,
    private readonly share: number
  ) {}

  async run (): Promise<void> {
    while (this.said < this.share && !this.ground.over) await this.connection()
  }

  private async connection (): Promise<void> {
    const { random, ground } = this
    const person = random.pick(ground.world.people)
    const socket = new FuzzedSocket(ground, this.query(person), random.pick([undefined, 'tickwire.v1.json', 'tickwire.v1.batch']), random.next() < 0.2)
    if (!await socket.opened) {
      await delay(1)
      return
    }
    const messages = new Messages(random, ground.world, person)
    const temper = random.pick(TEMPERS)
    let sent = 0
    for (const life = random.integer(1, LIFE); sent < life && !socket.closed && !ground.over;) {
      const burst = random.pick([1, 1, 1, 4, 16, 80])
      await ground.pace('socket', burst)
      const end = sent + burst
      if (burst === 1) await this.one(socket, messages.next(this.quality(temper)), end)
      else {
        for (; sent < end; sent++) this.say(socket, messages.next(this.quality(temper)))
        if (random.next() < 0.02) break
        if (random.next() < 0.05) {
          socket.pause(true)
          await delay(STALL_MS)
          socket.pause(false)
        }
        await socket.until(end)
      }
      sent = end
    }
    if (!socket.closed && random.next() < 0.1) await this.last(socket, sent)
    socket.leave()
  }

  private query ({ token }: Person): string {
    return this.random.next() < 0.6 ? `token=${token}` : ''
  }

  private quality (temper: Readonly<Record<Quality, number>>): Quality {
    let draw = this.random.integer(0, 99)
    for (const [quality, share] of Object.entries(temper) as Array<[Quality, number]>) {
      draw -= share
      if (draw < 0) return quality
    }
    return 'fitting'
  }

  /** One whose answer is known to be its own. */
  private async one (socket: FuzzedSocket, text: string, answers: number): Promise<void> {
    const parsed = parseMessage(text)
    socket.lastAnswer = undefined
    socket.send(text)
    await socket.until(answers)
    const answer = socket.lastAnswer as Message | undefined
    this.note(parsed, text, answer !== undefined && answer.type !== 'error')
    if (answer === undefined || parsed.isOpen) return
    const malformed = answer['code'] === 'invalid_json' || answer['code'] === 'invalid_message'
    // What fits the schema may still say two things that do not go together.
    if (!parsed.passes && !malformed) this.ground.fault(`what must be refused got ${JSON.stringify(answer)}`, text)
    if (parsed.passes && (answer['code'] === 'invalid_json' || (malformed && !SAYS_MORE.has(parsed.action)))) this.ground.fault(`what fits got ${JSON.stringify(answer)}`, text)
  }

  private say (socket: FuzzedSocket, text: string): void {
    this.note(parseMessage(text), text, false)
    socket.send(text)
  }

  /** How some connections end: by what ends them at once. */
  private async last (socket: FuzzedSocket, sent: number): Promise<void> {
    switch (this.random.integer(0, 2)) {
      case 0:
        socket.send(TOO_LONG)
        break
      case 1:
        socket.expectedClose = INVALID_JSON
        socket.send(Buffer.from([0x22, 0xff, 0xfe, 0x22]))
        break
      default:
        for (let bad = 0; bad < 10; bad++) socket.send(Buffer.from([bad]), true)
    }
    await socket.until(sent + 1000)
  }

  private note ({ action, fields, passes }: Parsed, text: string, accepted: boolean): void {
    this.said++
    const { coverage } = this.ground
    coverage.input(passes)
    if (action === undefined) return
    for (const field of fields) coverage.count(`action ${action}`, field, passes, accepted)
    if (action === 'subscribe' && passes) coverage.count('channel subscribed', (JSON.parse(text) as { channel: string }).channel, true, false)
  }
}
